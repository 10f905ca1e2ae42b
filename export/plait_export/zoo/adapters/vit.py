"""ViT and DeiT: what a picture shows, or its embedding (Dosovitskiy et al., 2021)."""

from __future__ import annotations

from plait_export.describe import Deployment
from plait_export.zoo.adapters.library import picture_input
from plait_export.zoo.adapters.parts import FirstToken, Pooled
from plait_export.zoo.adapters.single import classifier, embedder, pooled, require_pooler
from plait_export.zoo.adapters.source import Source


def classification(source: Source, name: str) -> Deployment:
    """ViTForImageClassification, DeiTForImageClassification."""
    model = source.model
    return classifier(
        source,
        name,
        {"image": source.picture(FirstToken(model.base_model, "pixel_values"))},
        picture_input(source.image_processor),
        head=model.classifier,
    )


def embedding(source: Source, name: str) -> Deployment:
    """ViTModel, DeiTModel, with their poolers."""
    model = source.model
    require_pooler(model, "Save the model with its pooling layer.")
    return embedder(
        source,
        name,
        {"image": source.picture(Pooled(model, "pixel_values"))},
        picture_input(source.image_processor),
        answer=pooled,
    )


ARCHITECTURES = {
    "ViTModel": embedding,
    "ViTForImageClassification": classification,
    "DeiTModel": embedding,
    "DeiTForImageClassification": classification,
}
