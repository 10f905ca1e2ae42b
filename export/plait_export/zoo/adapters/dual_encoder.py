"""VisionTextDualEncoder: any picture tower and any text tower in one space (LiT, Zhai et al.,
2022)."""

from __future__ import annotations

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.zoo.adapters.contrastive import image_and_text
from plait_export.zoo.adapters.source import Source, positions


def dual_encoder(source: Source, name: str) -> Deployment:
    """VisionTextDualEncoderModel, whose towers have a pooler."""
    model = source.model
    for tower in (model.vision_model, model.text_model):
        if getattr(tower, "pooler", True) is None:
            raise ConfigError(
                where=f"vision-text-dual-encoder, {tower.config.model_type}",
                expected="towers with a pooler, whose output is projected",
                got="none",
                action="Take another tower.",
            )
    longest = positions(model.config.text_config)
    return image_and_text(source, name, mask=True, longest=longest)


ARCHITECTURES = {"VisionTextDualEncoderModel": dual_encoder}
