"""Whisper's encoder: the mean of its frames as an embedding, or a class (Radford et al., 2022)."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.zoo.adapters.library import sound_input
from plait_export.zoo.adapters.single import classifier, embedder
from plait_export.zoo.adapters.source import Source


class Frames(nn.Module):
    """The encoder's frames [batch, frames, width], 50 a second."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, sample: Tensor) -> Tensor:
        return cast(Tensor, self.encoder(input_features=sample).last_hidden_state)


class MeanFrame(nn.Module):
    """[batch, frames, width] to [batch, width], or what follows each of the layers given."""

    def __init__(self, before: nn.Module | None = None, after: nn.Module | None = None) -> None:
        super().__init__()
        self.before = before or nn.Identity()
        self.after = after or nn.Identity()

    def forward(self, frames: Tensor) -> Tensor:
        values: Tensor = self.after(self.before(frames).mean(dim=1))
        return values


def embedding(source: Source, name: str) -> Deployment:
    """WhisperModel, WhisperForConditionalGeneration: their encoder. They do not say how it is
    pooled: the mean over time, silence up to the window's end included."""
    encoder = source.model.get_encoder()
    return embedder(
        source,
        name,
        {"sound": source.sound(Frames(encoder))},
        sound_input(source.feature_extractor),
        answer=_mean,
        projection=MeanFrame(),
        model=encoder,
    )


def classification(source: Source, name: str) -> Deployment:
    """WhisperForAudioClassification."""
    model = source.model
    if model.config.use_weighted_layer_sum:
        raise ConfigError(
            where="whisper, use_weighted_layer_sum",
            expected="false: a bundle's encoder gives its last layer",
            got="true",
            action="Train the classifier on the last layer.",
        )
    return classifier(
        source,
        name,
        {"sound": source.sound(Frames(model.encoder))},
        sound_input(source.feature_extractor),
        head=MeanFrame(model.projector, model.classifier),
        tower=model.encoder,
    )


def _mean(output: Any) -> Tensor:
    values: Tensor = output.last_hidden_state.mean(dim=1)
    return values


ARCHITECTURES = {
    "WhisperModel": embedding,
    "WhisperForConditionalGeneration": embedding,
    "WhisperForAudioClassification": classification,
}
