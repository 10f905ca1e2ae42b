"""What a user says of a model: its modalities, encoders and heads.

A `Deployment` says everything a device must know that PyTorch modules do not say by themselves.

All checks happen when a `Deployment` is made, and name the modality or head they are about, so that
a wrong unit or a forgotten label is found before minutes of exporting. Importing this package does
not import torch.
"""

from plait_export.describe.common import WhenMissing
from plait_export.describe.deployment import (
    Deployment,
    Modality,
    encoder_name,
    head_name,
    step_name,
)
from plait_export.describe.frame import Frame
from plait_export.describe.heads import (
    Classification,
    Embedding,
    Generation,
    Head,
    Regression,
    Space,
)
from plait_export.describe.points import Points
from plait_export.describe.signal import QUANTITIES, Calibration, Layout, Signal, unit_factor
from plait_export.describe.sound import Sound
from plait_export.describe.sound_features import LogMel, Mfcc, Waveform
from plait_export.describe.text import Text, is_utf8

__all__ = [
    "QUANTITIES",
    "Calibration",
    "Classification",
    "Deployment",
    "Embedding",
    "Frame",
    "Generation",
    "Head",
    "Layout",
    "LogMel",
    "Mfcc",
    "Modality",
    "Points",
    "Regression",
    "Signal",
    "Sound",
    "Space",
    "Text",
    "Waveform",
    "WhenMissing",
    "encoder_name",
    "head_name",
    "is_utf8",
    "step_name",
    "unit_factor",
]
