"""Checks frames given as samples: the shape, element type and size of their format."""

from __future__ import annotations

import numpy as np

from plait import ConfigError
from plait_export.describe import Frame

_PACKED = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "yuyv": 2, "uyvy": 2}


def check_frame(frame: Frame, values: object, where: str) -> None:
    """An array of any size in the declared format. Raises ConfigError."""
    dtype = "uint16" if frame.format == "gray16" else "uint8"
    if not isinstance(values, np.ndarray) or values.dtype.name != dtype:
        got = values.dtype.name if isinstance(values, np.ndarray) else type(values).__name__
        raise ConfigError(
            where=where,
            expected=f"a NumPy array of {dtype}",
            got=got,
            action="Pass frames as the camera gives them, before any conversion.",
        )
    shape = values.shape
    if frame.format in _PACKED:
        form = f"[height, width, {_PACKED[frame.format]}]"
        fits = len(shape) == 3 and shape[2] == _PACKED[frame.format]
        if frame.format in ("yuyv", "uyvy"):
            form, fits = f"{form} of an even width", fits and shape[1] % 2 == 0
    elif frame.format in ("gray8", "gray16"):
        form, fits = "[height, width]", len(shape) == 2
    else:
        form = "[height * 3 / 2, width] of an even height and width"
        fits = len(shape) == 2 and shape[0] % 3 == 0 and shape[1] % 2 == 0
    if not fits or 0 in shape:
        raise ConfigError(
            where=where,
            expected=f"a frame of format {frame.format}: {form}",
            got=f"shape {list(shape)}",
            action="Correct the format in the description, or pass frames of that format.",
        )
