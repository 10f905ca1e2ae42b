"""A signal that says more of itself than an array can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plait._core import SignalState
from plait.errors import SampleError


@dataclass(frozen=True, eq=False)
class Series:
    """A stretch of a multi-channel signal with its time stamps, rate or unit.

    With time stamps the series may be longer than the model's window and jittery: it is resampled
    to the nominal rate, and the window is the part that ends at the last stamp. Without, it is one
    window of a declared rate.

    Args:
        values: [time, channels]; float32, float64 or int16. Not copied.
        timestamps_ns: one integer a row, nanoseconds, strictly increasing.
        rate_hz: the rate of values, where known: one of the rates that the bundle declares. Without
            time stamps there are as many rows as that rate gives in the window's time, rounded
            up.
        unit: the unit of values, where it is not the sensor's declared one, e.g. "g".
        state: of a modality whose normalisation is running: what Model.signal_state() made; every
            sample moves it on. None: the sample stands alone.

    Raises:
        SampleError: time stamps that are not integers.
    """

    values: NDArray[Any]
    timestamps_ns: NDArray[np.int64] | None = None
    rate_hz: float | None = None
    unit: str | None = None
    state: SignalState | None = None

    def __init__(
        self,
        values: ArrayLike,
        timestamps_ns: ArrayLike | None = None,
        rate_hz: float | None = None,
        unit: str | None = None,
        state: SignalState | None = None,
    ) -> None:
        object.__setattr__(self, "values", np.asarray(values))
        object.__setattr__(self, "timestamps_ns", _nanoseconds(timestamps_ns))
        object.__setattr__(self, "rate_hz", rate_hz)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "state", state)


def _nanoseconds(stamps: ArrayLike | None) -> NDArray[np.int64] | None:
    if stamps is None:
        return None
    array = np.asarray(stamps)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise SampleError(
            where="plait.Series",
            expected="time stamps as a one-dimensional array of integer nanoseconds",
            got=f"shape {list(array.shape)} of {array.dtype}",
            action="Convert seconds with (seconds * 1e9).round().astype('int64').",
        )
    return np.ascontiguousarray(array, dtype=np.int64)
