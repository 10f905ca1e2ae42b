"""A stretch of sound that says more of itself than an array can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.errors import SampleError


@dataclass(frozen=True, eq=False)
class Sound:
    """PCM as a microphone or a file gives it. A view is taken, never a copy; see docs/sensors.md.

    Args:
        values: [frames] of one channel or [frames, channels]; int16, or float32 in -1 to 1. Any
            strides: what is planar, [channels, frames], goes in as its transpose.
        sample_rate_hz: frames a second; None for the rate that the bundle declares. Another rate
            is converted.

    Raises:
        SampleError: a rate that is no finite number above 0. What else a sound has to be is checked
            where a model prepares it.
    """

    values: NDArray[Any]
    sample_rate_hz: float | None = None

    def __post_init__(self) -> None:
        rate = self.sample_rate_hz
        if rate is None:
            return
        number = isinstance(rate, (int, float, np.integer, np.floating))
        if not number or isinstance(rate, bool) or not np.isfinite(rate) or rate <= 0:
            raise SampleError(
                where="plait.Sound",
                expected="sample_rate_hz as a finite number above 0, or None",
                got=repr(rate),
                action="Leave it out where it is the rate that the bundle declares.",
            )
        object.__setattr__(self, "sample_rate_hz", float(rate))
