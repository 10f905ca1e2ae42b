"""Two towers whose embeddings are compared by cosine: what all such families share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from plait_export.describe import Deployment, Modality
from plait_export.zoo.adapters.library import Library
from plait_export.zoo.adapters.parts import embedding
from plait_export.zoo.adapters.source import Source


@dataclass(frozen=True)
class Side:
    """One of the towers: its modality, what follows it, and where the model's output has both.

    prepare: from a raw sample to what the model takes. answer: the field of its output.
    """

    modality: Modality
    tower: nn.Module
    projection: nn.Module | None
    prepare: Callable[[Any], Mapping[str, Tensor]]
    answer: str
    scale: float
    bias: float = 0.0


def deployment(source: Source, name: str, sides: Mapping[str, Side]) -> Deployment:
    """An encoder and an embedding head a side, all in one space."""
    return Deployment(
        name=name,
        description=f"{type(source.model).__name__}: {' and '.join(sides)} in one space.",
        modalities={key: side.modality for key, side in sides.items()},
        heads={
            key: embedding(side.projection, key, normalized=True) for key, side in sides.items()
        },
        original=Library(
            model=source.model,
            inputs={key: side.prepare for key, side in sides.items()},
            heads={key: _field(side.answer) for key, side in sides.items()},
            towers={key: side.tower for key, side in sides.items()},
            masked=frozenset(k for k, s in sides.items() if getattr(s.modality, "mask", False)),
        ),
    )


def _field(name: str) -> Callable[[Any], Tensor]:
    def take(output: Any) -> Tensor:
        values: Tensor = getattr(output, name)
        return values

    return take
