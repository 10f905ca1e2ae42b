"""Descriptions read from what models come with, one file a library; or a refusal with the reason.

A reader takes a configuration (an object, a dict or its file) and returns a description that
prepares samples the same, or raises ConfigError with the field that can't be represented.
"""

from plait_export.describe.readers.transformers_sound import sound_from_transformers

__all__ = ["sound_from_transformers"]
