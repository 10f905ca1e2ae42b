"""A point cloud that says more of itself than an array can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plait.errors import SampleError


@dataclass(frozen=True, eq=False)
class Points:
    """A cloud as a LiDAR or a radar gives it. A view is taken, never a copy; see docs/sensors.md.

    Args:
        values: [points, channels], float32 or float64, in the columns and the unit that the bundle
            declares for its sensor; any strides. Rows that hold NaN are no points.
        extrinsics: how this very sensor is mounted, in place of what the bundle declares: [3, 4],
            the rotation from the sensor to the vehicle, then the move in metres. None: as declared.

    Raises:
        SampleError: extrinsics of another shape, or that are no numbers. What else a cloud has to
            be is checked where a model prepares it.
    """

    values: NDArray[Any]
    extrinsics: ArrayLike | None = None

    def __post_init__(self) -> None:
        if self.extrinsics is None:
            return
        try:
            matrix = np.array(self.extrinsics, dtype=np.float64, order="C")
            got = f"shape {list(matrix.shape)}"
        except (TypeError, ValueError) as error:
            matrix, got = np.empty(0), str(error)
        if matrix.shape != (3, 4):
            raise SampleError(
                where="plait.Points",
                expected="extrinsics of shape [3, 4]: a rotation, then a move in metres",
                got=got,
                action="Of a [4, 4] matrix pass matrix[:3].",
            )
        object.__setattr__(self, "extrinsics", matrix)
