"""The front-end once more, in NumPy and PIL: what the core's preprocessing is checked against.

Written from the format's description and not from the core's code, in float64, so that the two
check each other: their difference is rounding, or a mistake in one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait_export.describe import Frame, Modality
from plait_export.reference.frame import levels_of_error, prepare_frame
from plait_export.reference.signal import FloatArray, prepare_signal, resample

__all__ = ["FloatArray", "bound", "is_exact", "prepare", "prepare_all", "resample"]

# float32 arithmetic on one side, float64 on the other.
_ROUNDING = 1e-5


def prepare(modality: Modality, sample: NDArray[Any], **said: Any) -> FloatArray:
    """One raw sample as the encoder's input [1, ...], float32. said: as its kind's function."""
    if isinstance(modality, Frame):
        return prepare_frame(modality, sample, **said)
    return prepare_signal(modality, sample, **said)


def prepare_all(modality: Modality, samples: Iterable[NDArray[Any]]) -> FloatArray:
    """Many raw samples as one batch [samples, ...]."""
    return np.concatenate([prepare(modality, sample) for sample in samples])


def is_exact(modality: Modality) -> bool:
    """Whether the core has to prepare the same but for rounding in float32."""
    return not isinstance(modality, Frame) or levels_of_error(modality) == 0.0


def bound(modality: Modality, prepared: FloatArray) -> float:
    """The largest max|a - b| / max|b| of what the core prepares, where b is `prepared`."""
    largest = float(np.abs(prepared).max(initial=0.0))
    if not isinstance(modality, Frame) or largest == 0.0:
        return _ROUNDING
    level = modality.scale / min(modality.stds)
    return _ROUNDING + levels_of_error(modality) * level / largest
