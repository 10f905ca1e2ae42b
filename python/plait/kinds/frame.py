"""Frames of a camera: colour, grey or depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from plait.frame import YUV_FORMATS
from plait.kinds.common import statistics_line

_PIXEL_BYTES = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "yuyv": 2, "uyvy": 2}


def lines(frame: Mapping[str, Any]) -> list[str]:
    """What a frame is, in lines for people."""
    sensor, resize, crop = frame["sensor"], frame["resize"], frame.get("crop")
    height, width = (crop or resize)["size"]
    antialias = "antialiased" if resize["antialias"] else "not antialiased"
    fit = f"{resize['fit']} to {resize['size'][0]} x {resize['size'][1]}"
    if crop:
        fit += f", then the centre's {height} x {width}"
    elif resize["fit"] == "letterbox":
        fit += f", padded with {resize.get('pad', 0):g}"
    yuv = f", {sensor['matrix']} {sensor['range']}" if sensor["format"] in YUV_FORMATS else ""
    return [
        f"{frame['channels']} of {height} x {width} pixels, {frame['layout']}{_dtype(frame)}",
        f"sensor gives {sensor['format']}{yuv}",
        f"{fit}; {resize['filter']}, {antialias}, {frame['arithmetic']}",
        f"scale {frame['scale']:.6g}",
        statistics_line(frame),
    ]


def _dtype(frame: Mapping[str, Any]) -> str:
    dtype = frame.get("dtype", "float32")
    return "" if dtype == "float32" else f", {dtype}"


def wrong_with(frame: Mapping[str, Any], sample: NDArray[Any]) -> str:
    """What is wrong with a golden frame; "" where nothing is."""
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


def sample_of(array: NDArray[Any]) -> NDArray[Any]:
    """The frame itself, in the format that the bundle declares."""
    return array


def channels(frame: Mapping[str, Any]) -> tuple[Sequence[str], bool, str]:
    """Names of the channels, whether they come last, and what else may differ."""
    colours = frame["channels"]
    names = tuple(colours) if colours in ("RGB", "BGR") else (colours,)
    otherwise = "filter, antialiasing, colour matrix or range, fit, crop or another sample"
    return names, frame["layout"] == "NHWC", otherwise
