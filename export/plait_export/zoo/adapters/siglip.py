"""SigLIP, and SigLIP 2 of a fixed size: each pair judged by a sigmoid (Zhai et al., 2023)."""

from __future__ import annotations

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.zoo.adapters.contrastive import Side, deployment
from plait_export.zoo.adapters.library import picture_input, text_input
from plait_export.zoo.adapters.parts import Pooled
from plait_export.zoo.adapters.source import Source


def siglip(source: Source, name: str) -> Deployment:
    """SiglipModel: the last token is pooled, padding or not, so a mask is used only where the
    tokenizer gives one."""
    model = source.model
    if not getattr(model.vision_model, "use_head", True):
        raise ConfigError(
            where="siglip, vision_use_head",
            expected="true: the head pools what is compared with texts",
            got="false",
            action="Take a model that was trained with it.",
        )
    scale = float(model.logit_scale.detach().exp())
    bias = float(model.logit_bias.detach())
    text = source.text(
        Pooled(model.text_model, "input_ids"),
        mask="attention_mask" in source.tokenizer.model_input_names,
        longest=model.config.text_config.max_position_embeddings,
    )
    return deployment(
        source,
        name,
        {
            "image": Side(
                modality=source.picture(Pooled(model.vision_model, "pixel_values")),
                tower=model.vision_model,
                projection=None,
                prepare=picture_input(source.image_processor),
                answer="image_embeds",
                scale=scale,
                bias=bias,
            ),
            "text": Side(
                modality=text,
                tower=model.text_model,
                projection=None,
                prepare=text_input(source.tokenizer, text.tokens),
                answer="text_embeds",
                scale=scale,
                bias=bias,
            ),
        },
    )


ARCHITECTURES = {"SiglipModel": siglip}
