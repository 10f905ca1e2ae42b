"""Is a golden sample still what the manifest describes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIXEL_BYTES = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "yuyv": 2, "uyvy": 2}


def wrong_with_sample(modality: Mapping[str, Any], sample: NDArray[Any]) -> str:
    """What is wrong with a golden sample by the manifest's description; "" where nothing is."""
    if modality["kind"] == "frame":
        return _wrong_with_frame(modality["frame"], sample)
    return _wrong_with_window(modality["signal"], sample)


def _wrong_with_window(signal: Mapping[str, Any], sample: NDArray[Any]) -> str:
    channels = len(signal.get("sensor", signal)["channels"])
    expected = [int(signal["window"]), channels]
    if list(sample.shape) != expected:
        return f"expected shape {expected}, got {list(sample.shape)}"
    if not np.isfinite(sample).all():
        return "holds values that are not finite"
    return ""


def _wrong_with_frame(frame: Mapping[str, Any], sample: NDArray[Any]) -> str:
    pixel_format = frame["sensor"]["format"]
    dtype = "uint16" if pixel_format == "gray16" else "uint8"
    if sample.dtype != dtype:
        return f"expected {dtype}, got {sample.dtype}"
    if pixel_format in _PIXEL_BYTES:
        last = _PIXEL_BYTES[pixel_format]
        if sample.ndim != 3 or sample.shape[2] != last:
            return f"expected shape [height, width, {last}], got {list(sample.shape)}"
    elif sample.ndim != 2:
        return f"expected two dimensions, got {list(sample.shape)}"
    return ""
