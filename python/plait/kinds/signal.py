"""Multi-channel signals: windows of an accelerometer, a gyroscope, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.kinds.common import numbers, statistics_line


def lines(signal: Mapping[str, Any]) -> list[str]:
    """What a signal is, in lines for people."""
    said = [
        f"window {signal['window']} x {len(signal['channels'])} "
        f"({', '.join(signal['channels'])}) in {signal['unit']}, {signal['rate_hz']:g} Hz, "
        f"{signal['window'] / signal['rate_hz']:g} s, {signal['layout']}"
    ]
    sensor = signal.get("sensor", signal)
    if (sensor["channels"], sensor["unit"]) != (signal["channels"], signal["unit"]):
        said.append(f"sensor gives {', '.join(sensor['channels'])} in {sensor['unit']}")
    if "rates_hz" in sensor:
        rates = ", ".join(f"{rate:g}" for rate in sensor["rates_hz"])
        how = "averaged" if sensor.get("antialias", True) else "interpolated"
        said.append(f"sensor rates {rates} Hz; faster ones are {how}")
    if "calibration" in sensor:
        calibration = sensor["calibration"]
        rows = "; ".join(numbers(row) for row in calibration["matrix"])
        said.append(f"calibration {rows} x (raw - {numbers(calibration['bias'])})")
    normalization = signal.get("normalization", "fixed")
    if normalization == "window":
        said.append("mean and std of each window")
        return said
    said.append(statistics_line(signal))
    if normalization == "running":
        said[-1] += f" at first, then running with momentum {signal.get('momentum', 0.1):g}"
    return said


def wrong_with(signal: Mapping[str, Any], sample: NDArray[Any]) -> str:
    """What is wrong with a golden window; "" where nothing is."""
    channels = len(signal.get("sensor", signal)["channels"])
    expected = [int(signal["window"]), channels]
    if list(sample.shape) != expected:
        return f"expected shape {expected}, got {list(sample.shape)}"
    if not np.isfinite(sample).all():
        return "holds values that are not finite"
    return ""


def sample_of(array: NDArray[Any]) -> NDArray[Any]:
    """The window itself."""
    return array


def channels(signal: Mapping[str, Any]) -> tuple[Sequence[str], bool, str]:
    """Names of the channels, whether they come last, and what else may differ."""
    otherwise = "resampling, time order or another sample"
    return signal["channels"], signal.get("layout", "NCT") == "NTC", otherwise
