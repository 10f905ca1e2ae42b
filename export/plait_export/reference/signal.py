"""The signal front-end once more, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import ConfigError
from plait_export.describe import Signal, unit_factor

FloatArray = NDArray[np.float32]


def prepare_signal(
    signal: Signal,
    values: NDArray[Any],
    timestamps_ns: NDArray[np.int64] | None = None,
    unit: str | None = None,
) -> FloatArray:
    """One raw sample [time, sensor channels] as the encoder's input [1, ...], float32.

    With timestamps_ns (one a row, strictly increasing) the series is interpolated linearly at the
    nominal rate, and the window is the part that ends at the last time stamp. unit is the sample's,
    where it differs from the sensor's.
    """
    raw_unit = signal.raw_unit if unit is None else unit
    factor = unit_factor(raw_unit, signal.unit)
    if factor is None:
        raise ConfigError(
            where="reference preprocessing",
            expected=f"a unit that can be converted to {signal.unit!r}",
            got=repr(raw_unit),
            action="Pass samples in a unit of the same quantity.",
        )
    series = np.asarray(values, dtype=np.float64)
    if timestamps_ns is not None:
        series = resample(series, timestamps_ns, signal.rate_hz, signal.window)
    columns = {
        name.removeprefix("-"): (index, -1.0 if name.startswith("-") else 1.0)
        for index, name in enumerate(signal.sensor_channel_names)
    }
    prepared = np.empty((len(signal.channel_names), signal.window), dtype=np.float64)
    for channel, name in enumerate(signal.channel_names):
        source, sign = columns[name]
        physical = series[:, source] * sign * factor
        prepared[channel] = (physical - signal.means[channel]) / signal.stds[channel]
    if signal.layout == "NTC":
        prepared = prepared.T
    return np.ascontiguousarray(prepared[None], dtype=np.float32)


def resample(
    series: NDArray[np.float64], timestamps_ns: NDArray[np.int64], rate_hz: float, window: int
) -> NDArray[np.float64]:
    """A jittery series [time, channels] as `window` rows at rate_hz that end at the last stamp."""
    # Relative to the last stamp: nanoseconds since 1970 do not fit a float64 exactly.
    seconds = (timestamps_ns - timestamps_ns[-1]).astype(np.float64) * 1e-9
    wanted = -np.arange(window - 1, -1, -1, dtype=np.float64) / rate_hz
    return np.stack([np.interp(wanted, seconds, column) for column in series.T], axis=1)
