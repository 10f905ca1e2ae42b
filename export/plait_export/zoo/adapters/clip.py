"""CLIP: a picture and a text in one space (Radford et al., 2021)."""

from __future__ import annotations

from plait_export.describe import Deployment
from plait_export.zoo.adapters.contrastive import image_and_text
from plait_export.zoo.adapters.source import Source


def clip(source: Source, name: str) -> Deployment:
    """CLIPModel."""
    # Attention is causal and the pooled token comes before the padding: no mask is needed.
    longest = source.model.config.text_config.max_position_embeddings
    return image_and_text(source, name, mask=False, longest=longest)


ARCHITECTURES = {"CLIPModel": clip}
