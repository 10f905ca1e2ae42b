"""Graphs that a TensorRT engine is built from: every tensor's type is said, nothing is left to it.

TensorRT 11 builds strongly typed networks only: what a graph says is what an engine computes in.
So a deployment's graphs are brought into that form here, and judged by the gate on the CPU, before
any engine exists.
"""

from plait_export.engines.ranges import must_stay_float
from plait_export.engines.rounding import rounded_twin
from plait_export.engines.schemes import ENGINE_SCHEMES, EngineFloat16, EngineInt8, EngineInt8InHalf

__all__ = [
    "ENGINE_SCHEMES",
    "EngineFloat16",
    "EngineInt8",
    "EngineInt8InHalf",
    "must_stay_float",
    "rounded_twin",
]
