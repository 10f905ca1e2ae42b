"""The front-end once more, in NumPy and PIL: what the core's preprocessing is checked against.

Written from the format's description and not from the core's code, in float64, so that the two
check each other: their difference is rounding, or a mistake in one of them. One file a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plait_export.describe import Frame, Modality, Points, Signal, Sound, Text
from plait_export.reference.frame import levels_of_error, prepare_frame
from plait_export.reference.points import prepare_points
from plait_export.reference.signal import FloatArray, prepare_signal, resample
from plait_export.reference.sound import error_of_sound, prepare_sound
from plait_export.reference.text import prepare_text, token_ids

__all__ = ["FloatArray", "bound", "is_exact", "prepare", "prepare_all", "resample", "token_ids"]

# float32 arithmetic on one side, float64 on the other.
_ROUNDING = 1e-5
_LAST_PLACE = 2.0**-10  # of float16, relative


class _Reference(NamedTuple):
    """prepare: a raw sample as the encoder's input [1, ...]. error: by how much, in the encoder's
    unit, the core may differ beyond rounding."""

    prepare: Callable[..., NDArray[Any]]
    error: Callable[[Any], float]


def _frame_error(frame: Frame) -> float:
    levels = levels_of_error(frame) * frame.scale / min(frame.stds)
    # What differs by rounding in float32 may round to the next float16.
    return levels + (frame.largest_value * _LAST_PLACE if frame.dtype == "float16" else 0.0)


_REFERENCES: Mapping[type, _Reference] = {
    Frame: _Reference(prepare_frame, _frame_error),
    Points: _Reference(prepare_points, lambda _: 0.0),
    Signal: _Reference(prepare_signal, lambda _: 0.0),
    Sound: _Reference(prepare_sound, error_of_sound),
    Text: _Reference(prepare_text, lambda _: 0.0),
}


def prepare(modality: Modality, sample: Any, **said: Any) -> NDArray[Any]:
    """One raw sample as the encoder's input [1, ...]. said: as its kind's function."""
    return _REFERENCES[type(modality)].prepare(modality, sample, **said)


def prepare_all(modality: Modality, samples: Iterable[Any]) -> NDArray[Any]:
    """Many raw samples as one batch [samples, ...]."""
    return np.concatenate([prepare(modality, sample) for sample in samples])


def is_exact(modality: Modality) -> bool:
    """Whether the core has to prepare the same but for rounding in float32."""
    return _REFERENCES[type(modality)].error(modality) == 0.0


def bound(modality: Modality, prepared: NDArray[Any]) -> float:
    """The largest max|a - b| / max|b| of what the core prepares, where b is `prepared`."""
    largest = float(np.abs(prepared).max(initial=0.0, where=~np.isnan(prepared)))
    error = _REFERENCES[type(modality)].error(modality)
    return _ROUNDING if largest == 0.0 else _ROUNDING + error / largest
