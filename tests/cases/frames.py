"""Random frames of every format, and what other libraries make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import plait
from plait.frame import YUV_FORMATS
from plait_export import Frame
from tests.cases.frame_bundle import Section

Array = NDArray[Any]
Load = Callable[..., plait.Model]


def described(section: Section) -> Frame:
    """The section as the exporter's description, which the reference takes."""
    resize, sensor = section["resize"], section["sensor"]
    crop = section.get("crop")
    return Frame(
        encoder=cast(Any, None),
        size=tuple((crop or resize)["size"]),
        max_age_ms=100.0,
        when_missing="mask",
        channels=section["channels"],
        format=sensor["format"],
        matrix=sensor["matrix"],
        range=sensor["range"],
        fit=resize["fit"],
        resize_size=tuple(resize["size"]),
        crop_rounding=crop["rounding"] if crop else "down",
        pad=resize["pad"],
        filter=resize["filter"],
        antialias=resize["antialias"],
        arithmetic=section["arithmetic"],
        scale=section["scale"],
        mean=section["mean"],
        std=section["std"],
        layout=section["layout"],
        dtype=section["dtype"],
    )


def noise(generator: np.random.Generator, height: int, width: int, channels: int = 3) -> Array:
    return generator.integers(0, 256, (height, width, channels), dtype=np.uint8)


def scene(generator: np.random.Generator, height: int, width: int) -> Array:
    """Smooth colours with edges: closer to a photo than noise."""
    y, x = np.mgrid[:height, :width]
    waves = [
        127.5 + 127.5 * np.sin(x * a + y * b + c)
        for a, b, c in generator.uniform(0.01, 0.4, (3, 3))
    ]
    image = np.stack(waves, axis=2)
    image[(x // 7 + y // 5) % 3 == 0] = 255.0
    return image.astype(np.uint8)


def raw(generator: np.random.Generator, pixel_format: str, height: int, width: int) -> Array:
    """A random frame of a format; height and width even where it is YUV."""
    if pixel_format in ("rgba8", "bgra8"):
        return noise(generator, height, width, 4)
    if pixel_format in ("yuyv", "uyvy"):
        return noise(generator, height, width, 2)
    if pixel_format == "gray16":
        return generator.integers(0, 65536, (height, width), dtype=np.uint16)
    if pixel_format == "gray8":
        return noise(generator, height, width, 1)[:, :, 0]
    if pixel_format in YUV_FORMATS:
        return noise(generator, height * 3 // 2, width, 1)[:, :, 0]
    return noise(generator, height, width)


def by_pil(image: Array, height: int, width: int, filter_name: str) -> Array:
    """PIL's resize, rows first: what one call does before Pillow 13, and mostly since."""
    method = Image.Resampling[filter_name.upper()]
    narrowed = Image.fromarray(image).resize((width, image.shape[0]), method)
    return np.asarray(narrowed.resize((width, height), method))
