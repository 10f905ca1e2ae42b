"""One precision of a whole deployment, and the layers of it that stay in float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait_export.graphs import Form


@dataclass(frozen=True)
class KeptLayer:
    """A layer that stays in float, and what its quantization alone would have done.

    damage: relative error of the worst head and presence set with only this layer quantized.
    """

    graph: str
    layer: str
    operator: str
    damage: float
    worst: str

    def to_json(self) -> dict[str, Any]:
        why = f"quantized alone it moves the answers by {self.damage:.3g} (worst: {self.worst})"
        return {
            "graph": self.graph,
            "layer": self.layer,
            "operator": self.operator,
            "damage": self.damage,
            "why": why,
        }


@dataclass(frozen=True)
class Candidate:
    """One variant of all graphs. graphs: ONNX by graph name. kept: layers left in float.

    form: "portable", or "fused" where some graph uses Plait's operators.
    """

    precision: str
    scheme: str
    graphs: Mapping[str, bytes]
    kept: tuple[KeptLayer, ...] = ()
    form: Form = "portable"

    @property
    def name(self) -> str:
        """What the bundle calls it, in `precision`: "int8", or "int8_fused" beside it."""
        return variant_name(self.precision, self.form)


def number_format(variant: str) -> str:
    """The other way round: "int8" of "int8_fused"."""
    return variant.partition("_")[0]


def variant_name(precision: str, form: Form) -> str:
    """What a bundle calls the variant of a number format and a form."""
    return precision if form == "portable" else f"{precision}_{form}"
