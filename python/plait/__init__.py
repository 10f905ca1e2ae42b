"""Plait runs multimodal bundles: samples in, an answer out that says what it rests on.

>>> model = plait.load("watch.plait")
>>> answer = model(accelerometer=window, gyroscope=None)
>>> answer["exercise"].label, answer.presence
"""

from plait._core import SignalState
from plait.bundle import Bundle
from plait.errors import BackendError, BundleError, ConfigError, Error, SampleError
from plait.feature_stream import FeatureStream
from plait.frame import Frame
from plait.generation import GeneratedText, SaidToken
from plait.library import cmake_dir, find_onnxruntime, version
from plait.model import Answer, Model, Quality, Result, Timings, load
from plait.points import Points
from plait.series import Series
from plait.sound import Sound
from plait.tokenizer import Tokenizer

__all__ = [
    "Answer",
    "BackendError",
    "Bundle",
    "BundleError",
    "ConfigError",
    "Error",
    "FeatureStream",
    "Frame",
    "GeneratedText",
    "Model",
    "Points",
    "Quality",
    "Result",
    "SaidToken",
    "SampleError",
    "Series",
    "SignalState",
    "Sound",
    "Timings",
    "Tokenizer",
    "cmake_dir",
    "find_onnxruntime",
    "load",
    "version",
]
__version__ = version()
