"""Point clouds: sweeps of a LiDAR, returns of a radar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.kinds.common import numbers, statistics_line

_OVERFLOW = {
    "refuse": "more are refused",
    "first": "of more the first",
    "spread": "more are thinned out evenly",
}


def lines(points: Mapping[str, Any]) -> list[str]:
    """What a cloud is, in lines for people."""
    sensor = points["sensor"]
    said = [
        f"up to {points['capacity']} points of {', '.join(points['channels'])}; "
        f"{_OVERFLOW[points['overflow']]}",
        f"sensor gives {', '.join(sensor['channels'])} in {sensor['unit']}",
    ]
    if "extrinsics" in sensor:
        rows = "; ".join(numbers(row) for row in sensor["extrinsics"])
        said.append(f"mounted at {rows}")
    if "range" in points:
        lower, upper = points["range"]["lower"], points["range"]["upper"]
        said.append(f"kept from {numbers(lower)} to {numbers(upper)} m")
    return [*said, statistics_line(points)]


def wrong_with(points: Mapping[str, Any], sample: NDArray[Any]) -> str:
    """What is wrong with a golden cloud; "" where nothing is."""
    columns = len(points["sensor"]["channels"])
    if sample.dtype not in (np.float32, np.float64):
        return f"expected float32 or float64, got {sample.dtype}"
    if sample.ndim != 2 or sample.shape[1] != columns:
        return f"expected shape [points, {columns}], got {list(sample.shape)}"
    return ""


def sample_of(array: NDArray[Any]) -> NDArray[Any]:
    """The cloud itself, of a sensor that is mounted as the bundle declares."""
    return array


def channels(points: Mapping[str, Any]) -> tuple[Sequence[str], bool, str]:
    """Names of the channels, that they come last, and what else may differ."""
    otherwise = "extrinsics, range, capacity, overflow, order of points or another sample"
    return points["channels"], True, otherwise
