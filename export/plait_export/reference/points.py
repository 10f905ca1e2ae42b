"""The point cloud front-end once more, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plait import ConfigError
from plait_export.describe.points import METRES, Points


def prepare_points(
    points: Points, values: NDArray[Any], extrinsics: ArrayLike | None = None
) -> NDArray[np.float32]:
    """One cloud [points, sensor channels] as the encoder's input [1, capacity, channels], float32.

    extrinsics: of this very sensor, in place of the description's. Raises ConfigError where there
    are more points than are taken.
    """
    columns = [points.sensor_channel_names.index(name) for name in points.channels]
    cloud = np.asarray(values, dtype=np.float64)[:, columns]
    mounting = points.extrinsics if extrinsics is None else extrinsics
    matrix = np.eye(3, 4) if mounting is None else np.asarray(mounting, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        place = cloud[:, :3] * METRES[points.sensor_unit] @ matrix[:, :3].T + matrix[:, 3]
        normalised = np.concatenate([place, cloud[:, 3:]], axis=1)
        normalised = ((normalised - points.means) / points.stds).astype(np.float32)
        kept = np.isfinite(normalised).all(axis=1)
        if points.range is not None:
            lower, upper = points.range
            kept &= ((place >= lower) & (place < upper)).all(axis=1)
    chosen = normalised[kept]
    count = len(chosen)
    if count > points.capacity:
        if points.overflow == "refuse":
            raise ConfigError(
                where="reference preprocessing",
                expected=f"at most {points.capacity} points",
                got=str(count),
                action="Choose a larger capacity or another overflow.",
            )
        rows = np.arange(points.capacity)
        if points.overflow == "spread":
            rows = rows * count // points.capacity
        chosen = chosen[rows]
    prepared = np.full((1, *points.input_shape()), np.nan, dtype=np.float32)
    prepared[0, : len(chosen)] = chosen
    return prepared
