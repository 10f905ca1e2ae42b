"""One precision of a whole deployment, and the layers of it that stay in float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
    """One precision of all graphs. graphs: ONNX by graph name. kept: layers left in float."""

    precision: str
    scheme: str
    graphs: Mapping[str, bytes]
    kept: tuple[KeptLayer, ...] = ()
