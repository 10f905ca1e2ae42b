"""Descriptions read from what models come with, one file a library; or a refusal with the reason.

A reader takes a configuration (an object, a dict or its file) and returns a description that
prepares samples the same, or raises ConfigError with the field that can't be represented.
"""

from plait_export.describe.readers.open_clip import frame_from_open_clip
from plait_export.describe.readers.torchvision_transform import frame_from_transform
from plait_export.describe.readers.transformers_image import frame_from_transformers
from plait_export.describe.readers.transformers_sound import sound_from_transformers

__all__ = [
    "frame_from_open_clip",
    "frame_from_transform",
    "frame_from_transformers",
    "sound_from_transformers",
]
