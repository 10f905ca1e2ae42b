"""AST, the audio spectrogram transformer: what a sound is, or its embedding (Gong et al., 2021)."""

from __future__ import annotations

from plait_export.describe import Deployment
from plait_export.zoo.adapters.library import sound_input
from plait_export.zoo.adapters.parts import Pooled
from plait_export.zoo.adapters.single import classifier, embedder, pooled
from plait_export.zoo.adapters.source import Source


def classification(source: Source, name: str) -> Deployment:
    """ASTForAudioClassification."""
    tower = source.model.audio_spectrogram_transformer
    return classifier(
        source,
        name,
        {"sound": source.sound(Pooled(tower, "input_values"))},
        sound_input(source.feature_extractor),
        head=source.model.classifier,
        tower=tower,
    )


def embedding(source: Source, name: str) -> Deployment:
    """ASTModel."""
    return embedder(
        source,
        name,
        {"sound": source.sound(Pooled(source.model, "input_values"))},
        sound_input(source.feature_extractor),
        answer=pooled,
    )


ARCHITECTURES = {"ASTModel": embedding, "ASTForAudioClassification": classification}
