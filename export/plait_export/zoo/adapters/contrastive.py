"""Two towers whose embeddings are compared by cosine: what all such families share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from plait_export.describe import Deployment, Modality, Space
from plait_export.zoo.adapters.library import Library, picture_input, text_input
from plait_export.zoo.adapters.parts import Pooled, embedding
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
            key: embedding(side.projection, key, space=Space("shared", True, side.scale, side.bias))
            for key, side in sides.items()
        },
        original=Library(
            model=source.model,
            inputs={key: side.prepare for key, side in sides.items()},
            heads={key: _field(side.answer) for key, side in sides.items()},
            towers={key: side.tower for key, side in sides.items()},
            masked=frozenset(k for k, s in sides.items() if getattr(s.modality, "mask", False)),
        ),
    )


def image_and_text(source: Source, name: str, *, mask: bool, longest: int) -> Deployment:
    """The two towers of a model built as transformers' CLIPModel is.

    mask: whether the text tower takes one. longest: tokens of a text at most.
    """
    model = source.model
    text = source.text(Pooled(model.text_model, "input_ids"), mask=mask, longest=longest)
    bias = getattr(model, "logit_bias", None)
    scale_and_bias = {
        "scale": float(model.logit_scale.detach().exp()),
        "bias": 0.0 if bias is None else float(bias.detach()),
    }
    return deployment(
        source,
        name,
        {
            "image": Side(
                modality=source.picture(Pooled(model.vision_model, "pixel_values")),
                tower=model.vision_model,
                projection=getattr(model, "visual_projection", None),
                prepare=picture_input(source.image_processor),
                answer="image_embeds",
                **scale_and_bias,
            ),
            "text": Side(
                modality=text,
                tower=model.text_model,
                projection=getattr(model, "text_projection", None),
                prepare=text_input(source.tokenizer, text.tokens),
                answer="text_embeds",
                **scale_and_bias,
            ),
        },
    )


def _field(name: str) -> Callable[[Any], Tensor]:
    def take(output: Any) -> Tensor:
        values: Tensor = getattr(output, name)
        return values

    return take
