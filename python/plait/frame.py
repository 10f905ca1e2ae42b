"""A camera's frame that says more of itself than an array can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.errors import SampleError

FORMATS = (
    "nv12", "nv21", "i420", "yuyv", "uyvy", "rgb8", "bgr8", "rgba8", "bgra8", "gray8", "gray16",
)  # fmt: skip
# Those whose colours are luma and chroma.
YUV_FORMATS = ("nv12", "nv21", "i420", "yuyv", "uyvy")


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame as a camera gives it. Views are taken, never copies; see docs/sensors.md.

    Args:
        data: [H, W, C] uint8 for the packed formats ([H, W, 2] for yuyv and uyvy); [H, W] uint8
            for gray8 and uint16 for gray16; [H * 3 / 2, W] uint8 for nv12, nv21 and i420, or
            their planes as a sequence: Y [H, W], then UV [H / 2, W] or [H / 2, W / 2, 2], or for
            i420 U and V, each [H / 2, W / 2]. Rows may lie apart (a cut out of a larger array);
            the pixels of a row may not.
        format: one of FORMATS; None for the format that the bundle declares.
        region: (x, y, width, height): use this part of the frame. None: all of it.

    Raises:
        SampleError: a format that is not known, or a region that is not four whole numbers. What
            else a frame has to be is checked where a model prepares it.
    """

    data: NDArray[Any] | tuple[NDArray[Any], ...]
    format: str | None = None
    region: tuple[int, int, int, int] | None = None

    def __init__(
        self,
        data: Any,
        format: str | None = None,
        region: Sequence[int] | None = None,
    ) -> None:
        if format is not None and format not in FORMATS:
            raise SampleError(
                where="plait.Frame",
                expected=f"a format out of {', '.join(FORMATS)}",
                got=repr(format),
                action="Convert the frame to one of these first.",
            )
        planes = tuple(data) if isinstance(data, (tuple, list)) else data
        object.__setattr__(self, "data", planes)
        object.__setattr__(self, "format", format)
        object.__setattr__(self, "region", None if region is None else check_region(region))


def check_region(region: Sequence[int]) -> tuple[int, int, int, int]:
    """(x, y, width, height) as whole numbers. Raises SampleError for anything else."""
    sides = list(region) if isinstance(region, (Sequence, np.ndarray)) else []
    whole = all(isinstance(side, (int, np.integer)) and abs(side) < 2**31 for side in sides)
    if len(sides) != 4 or not whole:
        raise SampleError(
            where="plait.Frame",
            expected="region as (x, y, width, height) in whole pixels",
            got=repr(region),
            action="Round it first.",
        )
    x, y, width, height = (int(side) for side in sides)
    return x, y, width, height
