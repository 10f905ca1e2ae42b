"""The signal front-end once more, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import ConfigError
from plait_export.describe import Signal, unit_factor

FloatArray = NDArray[np.float32]
Statistics = tuple[Sequence[float], Sequence[float]]


def prepare_signal(
    signal: Signal,
    values: NDArray[Any],
    timestamps_ns: NDArray[np.int64] | None = None,
    unit: str | None = None,
    *,
    rate_hz: float | None = None,
    state: Statistics | None = None,
) -> FloatArray:
    """One raw sample [time, sensor channels] as the encoder's input [1, ...], float32.

    With timestamps_ns (one a row, strictly increasing) or a rate_hz other than the encoder's the
    series is brought to the nominal rate, and the window is the part that ends at the last row.
    unit is the sample's, where it differs from the sensor's. state: mean and variance that running
    normalisation goes on from; None: it begins with the declared ones.
    """
    raw_unit = signal.raw_unit if unit is None else unit
    factor = unit_factor(raw_unit, signal.unit)
    to_sensor = unit_factor(raw_unit, signal.raw_unit)
    from_sensor = unit_factor(signal.raw_unit, signal.unit)
    if factor is None or to_sensor is None or from_sensor is None:
        raise ConfigError(
            where="reference preprocessing",
            expected=f"a unit that can be converted to {signal.unit!r}",
            got=repr(raw_unit),
            action="Pass samples in a unit of the same quantity.",
        )
    series = np.asarray(values, dtype=np.float64)
    if timestamps_ns is None and rate_hz is not None and rate_hz != signal.rate_hz:
        timestamps_ns = np.rint(np.arange(len(series)) * (1e9 / rate_hz)).astype(np.int64)
    if timestamps_ns is not None:
        series = _at_the_encoders_rate(signal, series, timestamps_ns)
    if signal.calibration is not None:
        described = signal.calibration.to_manifest(series.shape[1])
        series = (series * to_sensor - described["bias"]) @ np.array(described["matrix"]).T
        factor = from_sensor
    columns = {
        name.removeprefix("-"): (index, -1.0 if name.startswith("-") else 1.0)
        for index, name in enumerate(signal.sensor_channel_names)
    }
    prepared = np.empty((len(signal.channel_names), signal.window), dtype=np.float64)
    for channel, name in enumerate(signal.channel_names):
        source, sign = columns[name]
        physical = series[:, source] * sign * factor
        mean, std = signal.means[channel], signal.stds[channel]
        if signal.normalization != "fixed":
            mean, std = _statistics(signal, channel, physical, state)
        prepared[channel] = (physical - mean) / std
    if signal.layout == "NTC":
        prepared = prepared.T
    return np.ascontiguousarray(prepared[None], dtype=np.float32)


def _at_the_encoders_rate(
    signal: Signal, series: NDArray[np.float64], timestamps_ns: NDArray[np.int64]
) -> NDArray[np.float64]:
    # The rate of the rows in the window, from the one at or before its start.
    ages = (timestamps_ns[-1] - timestamps_ns) * 1e-9
    start = (signal.window - 1) / signal.rate_hz
    first = max((i for i, age in enumerate(ages) if age >= start), default=0)
    gaps = len(ages) - 1 - first
    measured = gaps / ages[first] if gaps else signal.rate_hz  # one row has no rate
    rate = min(signal.accepted_rates_hz, key=lambda rate: abs(measured - rate) / rate)
    if signal.antialias and rate > signal.rate_hz:
        return averaged(series, timestamps_ns, signal.rate_hz, signal.window)
    return resample(series, timestamps_ns, signal.rate_hz, signal.window)


def averaged(
    series: NDArray[np.float64], timestamps_ns: NDArray[np.int64], rate_hz: float, window: int
) -> NDArray[np.float64]:
    """As resample, by averages under a triangle of one period of rate_hz to each side."""
    seconds = (timestamps_ns - timestamps_ns[-1]).astype(np.float64) * 1e-9
    wanted = -np.arange(window - 1, -1, -1, dtype=np.float64) / rate_hz
    weights = np.maximum(0.0, 1.0 - np.abs(wanted[:, None] - seconds[None, :]) * rate_hz)
    sums = weights.sum(axis=1, keepdims=True)
    interpolated = resample(series, timestamps_ns, rate_hz, window)
    averages = weights @ series / np.where(sums > 0.0, sums, 1.0)
    return np.where(sums > 0.0, averages, interpolated)


def _statistics(
    signal: Signal, channel: int, physical: NDArray[np.float64], state: Statistics | None
) -> tuple[float, float]:
    """What to subtract, and what to divide by."""
    mean, variance = float(physical.mean()), float(physical.var())
    if signal.normalization == "running":
        means, variances = state or (signal.means, [std**2 for std in signal.stds])
        mean = (1.0 - signal.momentum) * means[channel] + signal.momentum * mean
        variance = (1.0 - signal.momentum) * variances[channel] + signal.momentum * variance
    return mean, variance**0.5 + signal.epsilon


def resample(
    series: NDArray[np.float64], timestamps_ns: NDArray[np.int64], rate_hz: float, window: int
) -> NDArray[np.float64]:
    """A jittery series [time, channels] as `window` rows at rate_hz that end at the last stamp."""
    # Relative to the last stamp: nanoseconds since 1970 do not fit a float64 exactly.
    seconds = (timestamps_ns - timestamps_ns[-1]).astype(np.float64) * 1e-9
    wanted = -np.arange(window - 1, -1, -1, dtype=np.float64) / rate_hz
    return np.stack([np.interp(wanted, seconds, column) for column in series.T], axis=1)
