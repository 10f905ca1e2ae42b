"""The frame front-end once more: PIL where arithmetic is exact, else the filter in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from plait import ConfigError
from plait.frame import YUV_FORMATS
from plait_export.describe import Frame

Pixels = NDArray[np.float64]
Region = tuple[int, int, int, int]

# Weights of red and blue in luma: ITU-R BT.601, BT.709, BT.2020 (non-constant luminance).
_LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


def prepare_frame(
    frame: Frame,
    data: NDArray[Any],
    *,
    format: str | None = None,
    region: Region | None = None,
) -> NDArray[Any]:
    """One raw frame as the encoder's input [1, ...], of the description's dtype.

    data: one array as plait.Frame takes it. format: where it is not the declared one. region:
    (x, y, width, height).
    """
    exact = frame.arithmetic == "exact"
    pixels = decode(frame, data, frame.format if format is None else format, rounded=exact)
    if region is not None:
        x, y, width, height = region
        pixels = pixels[y : y + height, x : x + width]
    prepared = (fit(frame, pixels) * frame.scale - np.array(frame.means)) / np.array(frame.stds)
    if frame.layout == "NCHW":
        prepared = prepared.transpose(2, 0, 1)
    prepared = prepared.astype(np.float32)
    if frame.dtype == "uint8":
        prepared = np.rint(prepared)
    return np.ascontiguousarray(prepared[None], dtype=frame.dtype)


def levels_of_error(frame: Frame) -> float:
    """How many levels the core may be off: none where both sides compute in integers."""
    if frame.format in YUV_FORMATS:
        return 1.0
    return 0.0 if frame.arithmetic == "exact" or frame.filter == "nearest" else 1.0


def decode(frame: Frame, data: NDArray[Any], format: str, *, rounded: bool) -> Pixels:
    """The frame's pixels [height, width, channels] as levels in the encoder's channels.

    rounded: to whole levels from 0 to 255, as PIL's images hold them.
    """
    if format == "gray16":
        return data.reshape(*data.shape[:2], 1).astype(np.float64)
    if format in YUV_FORMATS:
        luma, blue, red = _planes(data, format)
        if frame.channels == "GRAY":  # luma is grey already, whatever the colours
            blue, red = np.full_like(luma, 128.0), np.full_like(luma, 128.0)
        colours = _of_yuv(frame, luma, blue, red)
    elif format == "gray8":
        colours = np.repeat(data.reshape(*data.shape[:2], 1), 3, axis=2).astype(np.float64)
    else:
        order = (0, 1, 2) if format.startswith("rgb") else (2, 1, 0)
        colours = data[:, :, order].astype(np.float64)
    if rounded:
        colours = np.clip(np.floor(colours + 0.5), 0.0, 255.0)
    if frame.channels == "RGB":
        return colours
    if frame.channels == "BGR":
        reversed_colours: Pixels = colours[:, :, ::-1]
        return reversed_colours
    return _luma(colours, rounded=rounded)


def fit(frame: Frame, pixels: Pixels) -> Pixels:
    """Resized, cut out or padded to the encoder's height and width."""
    height, width = frame.resized
    rows, columns = pixels.shape[:2]
    if frame.fit == "shortest":
        shorter = min(rows, columns)
        height, width = height * rows // shorter, height * columns // shorter
    if frame.fit == "letterbox":
        ratio = min(height / rows, width / columns)
        inner = resize(
            frame,
            pixels,
            min(height, max(1, round(rows * ratio))),
            min(width, max(1, round(columns * ratio))),
        )
        top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
        padded = np.full((height, width, pixels.shape[2]), float(frame.pad))
        padded[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return padded
    resized = resize(frame, pixels, height, width)
    if not frame.crops:
        return resized
    top = _start(height - frame.size[0], frame.crop_rounding)
    left = _start(width - frame.size[1], frame.crop_rounding)
    return resized[top : top + frame.size[0], left : left + frame.size[1]]


def resize(frame: Frame, pixels: Pixels, height: int, width: int) -> Pixels:
    """All channels to height x width with the frame's filter and arithmetic."""
    if frame.filter == "nearest":
        rows = _nearest(pixels.shape[0], height)
        chosen: Pixels = pixels[rows][:, _nearest(pixels.shape[1], width)]
        return chosen
    if frame.arithmetic == "exact":
        return _resize_by_pil(pixels, height, width, frame.filter)
    along = [
        filter_matrix(frame.filter, side, wanted, antialias=frame.antialias)
        for side, wanted in zip(pixels.shape, (height, width), strict=False)
    ]
    filtered = np.einsum("hr,rwc->hwc", along[0], pixels)
    filtered = np.einsum("wv,hvc->hwc", along[1], filtered)
    clipped: Pixels = np.clip(filtered, 0.0, 65535.0 if frame.channels == "DEPTH" else 255.0)
    return clipped


def filter_matrix(
    name: Literal["bilinear", "bicubic", "box", "lanczos"] | str,
    length: int,
    wanted: int,
    *,
    antialias: bool,
) -> Pixels:
    """[wanted, length]: each output as a weighted sum of inputs; rows sum to 1."""
    weight, support = _FILTERS[name]
    scale = length / wanted
    width = max(scale, 1.0) if antialias else 1.0
    matrix = np.zeros((wanted, length))
    for index in range(wanted):
        centre = (index + 0.5) * scale
        first = max(0, int(centre - support * width + 0.5))
        end = min(length, int(centre + support * width + 0.5))
        weights = np.array([weight((x + 0.5 - centre) / width) for x in range(first, end)])
        if weights.sum() == 0.0:  # a box narrower than a pixel, between two centres
            first, weights = min(length - 1, int(centre)), np.ones(1)
        matrix[index, first : first + len(weights)] = weights / weights.sum()
    return matrix


def _planes(data: NDArray[Any], format: str) -> tuple[Pixels, Pixels, Pixels]:
    """Luma, blue and red difference, each [height, width]; chroma by its nearest sample."""
    values = data.astype(np.float64)
    if format in ("yuyv", "uyvy"):
        luma, chroma = (0, 1) if format == "yuyv" else (1, 0)
        blue, red = values[:, 0::2, chroma], values[:, 1::2, chroma]
        return values[:, :, luma], np.repeat(blue, 2, axis=1), np.repeat(red, 2, axis=1)
    rows, width = values.shape[0] * 2 // 3, values.shape[1]
    if format == "i420":
        blue, red = values[rows:].reshape(2, rows // 2, width // 2)
    else:
        pairs = values[rows:].reshape(rows // 2, width // 2, 2)
        blue, red = (pairs[:, :, i] for i in ((0, 1) if format == "nv12" else (1, 0)))
    blue, red = (np.repeat(np.repeat(c, 2, axis=0), 2, axis=1) for c in (blue, red))
    return values[:rows], blue, red


def _of_yuv(frame: Frame, luma: Pixels, blue: Pixels, red: Pixels) -> Pixels:
    """R, G, B by the standard's own equations, in levels, not clipped."""
    of_red, of_blue = _LUMA[frame.yuv_matrix]
    limited = frame.yuv_range == "limited"
    y = (luma - 16.0) / 219.0 if limited else luma / 255.0
    swing = 224.0 if limited else 255.0
    r = y + (red - 128.0) / swing * 2.0 * (1.0 - of_red)
    b = y + (blue - 128.0) / swing * 2.0 * (1.0 - of_blue)
    g = (y - of_red * r - of_blue * b) / (1.0 - of_red - of_blue)
    return np.stack([r, g, b], axis=2) * 255.0


def _luma(colours: Pixels, *, rounded: bool) -> Pixels:
    """One channel of BT.601 luma, as PIL's mode L; in its integers where rounded."""
    red, green, blue = np.moveaxis(colours, 2, 0)
    luma: Pixels = 0.299 * red + 0.587 * green + 0.114 * blue
    if rounded:
        luma = np.floor((red * 19595 + green * 38470 + blue * 7471 + 32768) / 65536)
    return luma[:, :, np.newaxis]


def _start(left_over: int, rounding: str) -> int:
    return left_over // 2 if rounding == "down" else round(left_over / 2.0)


def _nearest(length: int, wanted: int) -> NDArray[np.int32]:
    """Which input PIL takes for each output."""
    image = _pil()
    numbers = image.fromarray(np.arange(length, dtype=np.int32)[np.newaxis])
    chosen: NDArray[np.int32] = np.asarray(numbers.resize((wanted, 1), image.Resampling.NEAREST))[0]
    return chosen


def _resize_by_pil(pixels: Pixels, height: int, width: int, name: str) -> Pixels:
    """PIL's resize of 8-bit channels: rows first, as every version before 13 does in one call."""
    image = _pil()
    method = image.Resampling[name.upper()]
    resized = np.empty((height, width, pixels.shape[2]))
    for channel, levels in enumerate(np.moveaxis(pixels.astype(np.uint8), 2, 0)):
        narrowed = image.fromarray(np.ascontiguousarray(levels)).resize(
            (width, len(levels)), method
        )
        resized[:, :, channel] = np.asarray(narrowed.resize((width, height), method))
    return resized


def _pil() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError(
            where="reference preprocessing of frames",
            expected="the package Pillow, whose arithmetic is the reference",
            got=str(error),
            action="Install it: pip install 'plait[export]'.",
        ) from error
    return Image


def _box(x: float) -> float:
    return 1.0 if -0.5 < x <= 0.5 else 0.0


def _bilinear(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _bicubic(x: float) -> float:
    """Keys' cubic convolution with a = -0.5."""
    x = abs(x)
    if x < 1.0:
        return 1.5 * x**3 - 2.5 * x**2 + 1.0
    return -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0 if x < 2.0 else 0.0


def _lanczos(x: float) -> float:
    if x == 0.0:
        return 1.0
    if not -3.0 <= x < 3.0:
        return 0.0
    return 3.0 * math.sin(math.pi * x) * math.sin(math.pi * x / 3.0) / (math.pi * x) ** 2


_FILTERS: dict[str, tuple[Callable[[float], float], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}
