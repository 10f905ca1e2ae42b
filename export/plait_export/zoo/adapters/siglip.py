"""SigLIP, and SigLIP 2 of a fixed size: each pair judged by a sigmoid (Zhai et al., 2023)."""

from __future__ import annotations

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.zoo.adapters.contrastive import image_and_text
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
    return image_and_text(
        source,
        name,
        mask="attention_mask" in source.tokenizer.model_input_names,
        longest=model.config.text_config.max_position_embeddings,
    )


ARCHITECTURES = {"SiglipModel": siglip}
