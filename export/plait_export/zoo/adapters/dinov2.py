"""DINOv2: a picture's embedding, or a class by a layer on top of it (Oquab et al., 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait_export.describe import Deployment
from plait_export.zoo.adapters.library import picture_input
from plait_export.zoo.adapters.parts import Pooled
from plait_export.zoo.adapters.single import classifier, embedder, pooled
from plait_export.zoo.adapters.source import Source


class TokenAndMean(nn.Module):
    """The first token beside the mean of all others [batch, 2 * width]."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, sample: Tensor) -> Tensor:
        tokens = self.tower(pixel_values=sample).last_hidden_state
        return torch.cat([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1)


def classification(source: Source, name: str) -> Deployment:
    """Dinov2ForImageClassification."""
    model = source.model
    return classifier(
        source,
        name,
        {"image": source.picture(TokenAndMean(model.base_model))},
        picture_input(source.image_processor),
        head=model.classifier,
    )


def embedding(source: Source, name: str) -> Deployment:
    """Dinov2Model: its first token, normalised by the last layer."""
    return embedder(
        source,
        name,
        {"image": source.picture(Pooled(source.model, "pixel_values"))},
        picture_input(source.image_processor),
        answer=pooled,
    )


ARCHITECTURES = {"Dinov2Model": embedding, "Dinov2ForImageClassification": classification}
