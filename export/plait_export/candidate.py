"""One precision of a whole deployment, and the layers of it that stay in float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from plait_export.graphs import Form


# What a variant's graphs were made for; ONNX Runtime runs either.
Target = Literal["onnxruntime", "tensorrt"]


@dataclass(frozen=True)
class KeptLayer:
    """A layer that stays in float, and what its quantization alone would have done.

    damage: relative error of the worst head and presence set with only this layer quantized; None
    where it was not tried, for the reason given.
    """

    graph: str
    layer: str
    operator: str
    damage: float | None
    worst: str
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        why = self.reason
        if self.damage is not None:
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

    judged: what ONNX Runtime runs in their place, where it would be more precise than the target.

    form: "portable", or "fused" where some graph uses Plait's operators. target: "tensorrt" where
    the types are what TensorRT computes in.
    """

    precision: str
    scheme: str
    graphs: Mapping[str, bytes]
    kept: tuple[KeptLayer, ...] = ()
    form: Form = "portable"
    target: Target = "onnxruntime"
    judged: Mapping[str, bytes] | None = None

    @property
    def runnable(self) -> Mapping[str, bytes]:
        """The graphs as they answer here."""
        return self.graphs if self.judged is None else self.judged

    @property
    def name(self) -> str:
        """What the bundle calls it, in `precision`: "int8", "int8_fused", "int8_tensorrt"."""
        return variant_name(self.precision, self.form, self.target)


def number_format(variant: str) -> str:
    """The other way round: "int8" of "int8_fused"."""
    return variant.partition("_")[0]


def variant_name(precision: str, form: Form, target: Target = "onnxruntime") -> str:
    """What a bundle calls the variant of a number format, a form and a target."""
    name = precision if target == "onnxruntime" else f"{precision}_{target}"
    return name if form == "portable" else f"{name}_{form}"
