"""CLIP: a picture and a text in one space (Radford et al., 2021)."""

from __future__ import annotations

from plait_export.describe import Deployment
from plait_export.zoo.adapters.contrastive import Side, deployment
from plait_export.zoo.adapters.library import picture_input, text_input
from plait_export.zoo.adapters.parts import Pooled
from plait_export.zoo.adapters.source import Source


def clip(source: Source, name: str) -> Deployment:
    """CLIPModel."""
    model = source.model
    scale = float(model.logit_scale.detach().exp())
    # Attention is causal and the pooled token comes before the padding: no mask is needed.
    text = source.text(
        Pooled(model.text_model, "input_ids"),
        mask=False,
        longest=model.config.text_config.max_position_embeddings,
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


ARCHITECTURES = {"CLIPModel": clip}
