"""A short name of `plait_export.zoo.adapters`: deployments of models of known libraries."""

from plait_export.zoo.adapters import (
    FAMILIES,
    from_open_clip,
    from_sentence_transformers,
    from_timm,
    from_transformers,
    samples,
)

__all__ = [
    "FAMILIES",
    "from_open_clip",
    "from_sentence_transformers",
    "from_timm",
    "from_transformers",
    "samples",
]
