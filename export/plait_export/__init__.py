"""Plait's exporter: from trained PyTorch modules to one bundle, with proof.

from plait_export import Classification, Deployment, Gate, Signal, accuracy, export

deployment = Deployment(name="watch", modalities={...}, heads={...})
export(deployment, "watch.plait", samples=calibration, gate=Gate(accuracy, held_out))
"""

from plait_export.agreement import agreement
from plait_export.attention import cached_attention
from plait_export.describe import (
    Calibration,
    Classification,
    Deployment,
    Embedding,
    Frame,
    Generation,
    LogMel,
    Mfcc,
    Points,
    Regression,
    Signal,
    Sound,
    Space,
    Text,
    Waveform,
)
from plait_export.describe.readers import (
    frame_from_open_clip,
    frame_from_transform,
    frame_from_transformers,
    sound_from_transformers,
    text_from_transformers,
)
from plait_export.errors import ExportError
from plait_export.export import export, export_request
from plait_export.gate import Attempt, Gate, Score
from plait_export.lineage import Lineage
from plait_export.metrics import (
    Metric,
    accuracy,
    exact_match,
    macro_f1,
    negative_mean_absolute_error,
    word_agreement,
)
from plait_export.preparation import PreparationReport, check_preparation
from plait_export.progress import Progress
from plait_export.report import ExportReport
from plait_export.request import Request

__all__ = [
    "Attempt",
    "Calibration",
    "Classification",
    "Deployment",
    "Embedding",
    "ExportError",
    "ExportReport",
    "Frame",
    "Gate",
    "Generation",
    "Lineage",
    "LogMel",
    "Metric",
    "Mfcc",
    "Points",
    "PreparationReport",
    "Progress",
    "Regression",
    "Request",
    "Score",
    "Signal",
    "Sound",
    "Space",
    "Text",
    "Waveform",
    "accuracy",
    "agreement",
    "cached_attention",
    "check_preparation",
    "exact_match",
    "export",
    "export_request",
    "frame_from_open_clip",
    "frame_from_transform",
    "frame_from_transformers",
    "macro_f1",
    "negative_mean_absolute_error",
    "sound_from_transformers",
    "text_from_transformers",
    "word_agreement",
]
