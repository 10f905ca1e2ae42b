"""Deployments of models of the libraries that people use, read from the models' own files.

A family is one file here and one line of FAMILIES in loading.py.
"""

from plait_export.zoo.adapters.loading import FAMILIES, from_transformers
from plait_export.zoo.adapters.open_clip import from_open_clip
from plait_export.zoo.adapters.samples import samples
from plait_export.zoo.adapters.sentence import from_sentence_transformers
from plait_export.zoo.adapters.timm import from_timm

__all__ = [
    "FAMILIES",
    "from_open_clip",
    "from_sentence_transformers",
    "from_timm",
    "from_transformers",
    "samples",
]
