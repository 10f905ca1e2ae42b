"""Checks point clouds given as samples: element type, columns, and how many points there are."""

from __future__ import annotations

import numpy as np

from plait import ConfigError
from plait_export import reference
from plait_export.describe import Points


def check_cloud(points: Points, values: object, where: str) -> None:
    """An array of the sensor's columns, with no more points than are taken. Raises ConfigError."""
    if not isinstance(values, np.ndarray) or values.dtype.name not in ("float32", "float64"):
        got = values.dtype.name if isinstance(values, np.ndarray) else type(values).__name__
        raise ConfigError(
            where=where,
            expected="a NumPy array of float32 or float64",
            got=got,
            action="Pass raw clouds as the sensor gives them.",
        )
    columns = len(points.sensor_channel_names)
    if values.ndim != 2 or values.shape[1] != columns:
        raise ConfigError(
            where=where,
            expected=f"a cloud of shape [points, {columns}]",
            got=f"shape {list(values.shape)}",
            action="Rows are points, columns are the sensor's channels.",
        )
    try:
        reference.prepare(points, values)
    except ConfigError as error:
        raise ConfigError(
            where=where, expected=error.expected, got=error.got, action=error.action
        ) from error
