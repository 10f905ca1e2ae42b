"""Frames are prepared as the libraries that models are trained with prepare them.

Exact arithmetic against PIL itself, bit for bit; fast against the filter in float64 (one grey
level) and torch; YUV against the standards' formulas in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from plait.frame import FORMATS, YUV_FORMATS
from plait_export.reference.frame import prepare_frame
from tests.cases.frame_bundle import frame_section
from tests.cases.frames import Array, Load, by_pil, described, noise, raw, scene

FILTERS = ("bilinear", "bicubic", "box", "lanczos")


def odd_sizes(generator: np.random.Generator, most: int) -> tuple[int, int, int, int]:
    rows, columns, height, width = (int(side) for side in generator.integers(1, most, 4))
    return rows, columns, height, width


@pytest.mark.parametrize("filter_name", [*FILTERS, "nearest"])
def test_exact_equals_pil_bit_for_bit(
    load: Load, generator: np.random.Generator, filter_name: str
) -> None:
    for trial in range(30):
        rows, columns, height, width = odd_sizes(generator, 41 if trial % 2 else 200)
        model = load(camera=frame_section(size=(height, width), filter=filter_name))
        image = noise(generator, rows, columns)
        expected = by_pil(image, height, width, filter_name)
        np.testing.assert_array_equal(model.prepare("camera", image)[0], expected)


@pytest.mark.parametrize("filter_name", FILTERS)
def test_exact_equals_pil_on_a_camera_sized_frame(
    load: Load, generator: np.random.Generator, filter_name: str
) -> None:
    model = load(camera=frame_section(size=(224, 224), filter=filter_name))
    image = scene(generator, 719, 1281)
    expected = by_pil(image, 224, 224, filter_name)
    np.testing.assert_array_equal(model.prepare("camera", image)[0], expected)


@pytest.mark.parametrize("filter_name", FILTERS)
def test_exact_equals_pil_after_the_shortest_side_and_a_centre_crop(
    load: Load, generator: np.random.Generator, filter_name: str
) -> None:
    for rounding in ("down", "half_even"):
        for _ in range(8):
            rows, columns, side, _ = odd_sizes(generator, 150)
            height, width = (int(generator.integers(1, side + 1)) for _ in range(2))
            section = frame_section(
                fit="shortest",
                size=(side, side),
                crop=(height, width),
                rounding=rounding,
                filter=filter_name,
            )
            image = noise(generator, rows, columns)
            shorter = min(rows, columns)
            resized = by_pil(image, side * rows // shorter, side * columns // shorter, filter_name)
            left_over = (resized.shape[0] - height, resized.shape[1] - width)
            # transformers' and torchvision's own expressions
            top, left = (n // 2 if rounding == "down" else round(n / 2.0) for n in left_over)
            expected = resized[top : top + height, left : left + width]
            prepared = load(camera=section).prepare("camera", image)[0]
            np.testing.assert_array_equal(prepared, expected)


@pytest.mark.parametrize("filter_name", FILTERS)
def test_exact_equals_pil_inside_a_letterbox(
    load: Load, generator: np.random.Generator, filter_name: str
) -> None:
    for _ in range(12):
        rows, columns, height, width = odd_sizes(generator, 120)
        section = frame_section(fit="letterbox", size=(height, width), filter=filter_name, pad=114)
        image = noise(generator, rows, columns)
        prepared = load(camera=section).prepare("camera", image)[0]
        ratio = min(height / rows, width / columns)
        inner = by_pil(
            image,
            min(height, max(1, round(rows * ratio))),
            min(width, max(1, round(columns * ratio))),
            filter_name,
        )
        top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
        expected = np.full((height, width, 3), 114)
        expected[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        np.testing.assert_array_equal(prepared, expected)


def test_exact_grey_is_pils_mode_l(load: Load, generator: np.random.Generator) -> None:
    model = load(camera=frame_section(channels="GRAY", size=(37, 53), filter="bicubic"))
    image = noise(generator, 91, 77)
    grey = np.asarray(Image.fromarray(image).convert("L"))
    expected = by_pil(grey, 37, 53, "bicubic")
    np.testing.assert_array_equal(model.prepare("camera", image)[0, :, :, 0], expected)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("filter_name", FILTERS)
def test_fast_is_within_one_level_of_the_filter_in_float64(
    load: Load, generator: np.random.Generator, filter_name: str, antialias: bool
) -> None:
    for trial in range(20):
        rows, columns, height, width = odd_sizes(generator, 41 if trial % 2 else 200)
        section = frame_section(
            size=(height, width), filter=filter_name, antialias=antialias, arithmetic="fast"
        )
        image = noise(generator, rows, columns)
        prepared = load(camera=section).prepare("camera", image)
        assert np.abs(prepared - prepare_frame(described(section), image)).max() <= 1.0


def by_torch(image: Array, height: int, width: int, filter_name: str) -> Array:
    """[height, width, channels] in float64, not clipped."""
    tensor = torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(
        tensor, (height, width), mode=filter_name, antialias=True, align_corners=False
    )
    return resized[0].permute(1, 2, 0).numpy()


# Torch's antialiased bicubic filter differs from its own definition where an output side is 1.
@pytest.mark.parametrize("filter_name", ["bilinear", "bicubic"])
def test_fast_is_within_a_tenth_of_a_level_of_torch(
    load: Load, generator: np.random.Generator, filter_name: str
) -> None:
    for _ in range(10):
        rows, columns, height, width = (int(side) for side in generator.integers(2, 150, 4))
        section = frame_section(size=(height, width), filter=filter_name, arithmetic="fast")
        image = noise(generator, rows, columns)
        prepared = load(camera=section).prepare("camera", image)
        expected = by_torch(image, height, width, filter_name).clip(0.0, 255.0)
        assert np.abs(prepared[0] - expected).max() <= 0.1


@pytest.mark.parametrize("filter_name", ["bilinear", "bicubic"])
def test_depth_equals_torch_and_the_filter_in_float64(
    load: Load, generator: np.random.Generator, filter_name: str
) -> None:
    for _ in range(10):
        rows, columns, height, width = (int(side) for side in generator.integers(2, 150, 4))
        section = frame_section(
            channels="DEPTH",
            format="gray16",
            size=(height, width),
            filter=filter_name,
            arithmetic="fast",
        )
        depth = raw(generator, "gray16", rows, columns)
        prepared = load(camera=section).prepare("camera", depth)
        expected = by_torch(depth[:, :, np.newaxis], height, width, filter_name)
        assert np.abs(prepared[0] - expected.clip(0.0, 65535.0)).max() <= 1e-5 * 65535.0
        reference = prepare_frame(described(section), depth)
        assert np.abs(prepared - reference).max() <= 1e-6 * 65535.0


@pytest.mark.parametrize("pixel_format", YUV_FORMATS)
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("limits", ["limited", "full"])
def test_yuv_is_within_one_level_of_the_standards_formula(
    load: Load, generator: np.random.Generator, pixel_format: str, matrix: str, limits: str
) -> None:
    rows, columns = (2 * int(side) for side in generator.integers(1, 40, 2))
    sections = {
        f"{channels.lower()}_{arithmetic}": frame_section(
            channels=channels,
            arithmetic=arithmetic,
            format=pixel_format,
            matrix=matrix,
            range=limits,
            size=(rows, columns),
        )
        for channels in ("RGB", "BGR", "GRAY")
        for arithmetic in ("exact", "fast")
    }
    model = load(**sections)
    frame = raw(generator, pixel_format, rows, columns)
    for name, section in sections.items():
        # Not rounded: the formula itself, clipped to what a level can be.
        formula = prepare_frame(described({**section, "arithmetic": "fast"}), frame)
        assert np.abs(model.prepare(name, frame) - formula).max() <= 1.0


@pytest.mark.parametrize(
    ("matrix", "limits", "yuv", "rgb"),
    [
        ("bt601", "limited", (16, 128, 128), (0, 0, 0)),
        ("bt601", "limited", (235, 128, 128), (255, 255, 255)),
        ("bt601", "limited", (81, 90, 240), (254, 0, 0)),
        ("bt709", "limited", (63, 102, 240), (255, 1, 0)),
        ("bt2020", "limited", (74, 97, 240), (255, 0, 0)),
        ("bt601", "full", (76, 85, 255), (254, 0, 0)),
        ("bt601", "full", (29, 255, 107), (0, 0, 254)),
    ],
)
def test_known_colours_come_out_of_yuv(
    load: Load,
    matrix: str,
    limits: str,
    yuv: tuple[int, int, int],
    rgb: tuple[int, int, int],
) -> None:
    """Tabulated codes of black, white and the primaries."""
    frame = np.zeros((6, 4), np.uint8)
    frame[:4], frame[4:, 0::2], frame[4:, 1::2] = yuv
    section = frame_section(format="nv12", matrix=matrix, range=limits, size=(4, 4))
    prepared = load(camera=section).prepare("camera", frame)[0]
    assert np.abs(prepared - np.array(rgb)).max() <= 2.0


@pytest.mark.parametrize("pixel_format", [f for f in FORMATS if f != "gray16"])
@pytest.mark.parametrize("channels", ["RGB", "BGR", "GRAY"])
def test_every_format_is_within_one_level_of_the_reference_after_a_resize(
    load: Load, generator: np.random.Generator, pixel_format: str, channels: str
) -> None:
    for _ in range(4):
        rows, columns = (2 * int(side) for side in generator.integers(1, 60, 2))
        height, width = (int(side) for side in generator.integers(1, 80, 2))
        section = frame_section(
            channels=channels,
            format=pixel_format,
            size=(height, width),
            filter=str(generator.choice(FILTERS)),
            arithmetic="fast",
            matrix="bt601",
            layout="NCHW",
        )
        frame = raw(generator, pixel_format, rows, columns)
        prepared = load(camera=section).prepare("camera", frame)
        assert np.abs(prepared - prepare_frame(described(section), frame)).max() <= 1.0


def test_scale_mean_and_std_are_of_each_channel(load: Load, generator: np.random.Generator) -> None:
    said: dict[str, Any] = {
        "scale": 1 / 255,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "size": (15, 20),
    }
    image = noise(generator, 61, 47)
    levels = by_pil(image, 15, 20, "bilinear") / 255.0
    expected = (levels - said["mean"]) / said["std"]
    model = load(
        last=frame_section(**said), first=frame_section(**said, layout="NCHW", channels="RGB")
    )
    np.testing.assert_allclose(model.prepare("last", image)[0], expected, atol=2e-6)
    np.testing.assert_allclose(
        model.prepare("first", image)[0], expected.transpose(2, 0, 1), atol=2e-6
    )
