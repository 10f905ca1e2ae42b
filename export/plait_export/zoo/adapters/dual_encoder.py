"""VisionTextDualEncoder: any picture tower and any text tower in one space (LiT, Zhai et al.,
2022)."""

from __future__ import annotations

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.zoo.adapters.contrastive import Side, deployment
from plait_export.zoo.adapters.library import picture_input, text_input
from plait_export.zoo.adapters.parts import Pooled
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
    scale = float(model.logit_scale.detach().exp())
    text = source.text(
        Pooled(model.text_model, "input_ids"),
        mask=True,
        longest=positions(model.config.text_config),
    )
    return deployment(
        source,
        name,
        {
            "image": Side(
                modality=source.picture(Pooled(model.vision_model, "pixel_values")),
                tower=model.vision_model,
                projection=model.visual_projection,
                prepare=picture_input(source.image_processor),
                answer="image_embeds",
                scale=scale,
            ),
            "text": Side(
                modality=text,
                tower=model.text_model,
                projection=model.text_projection,
                prepare=text_input(source.tokenizer, text.tokens),
                answer="text_embeds",
                scale=scale,
            ),
        },
    )


ARCHITECTURES = {"VisionTextDualEncoderModel": dual_encoder}
