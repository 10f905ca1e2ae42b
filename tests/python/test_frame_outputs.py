"""Element types of the encoder's input, several regions of one frame, and threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait
from plait_export.reference import bound
from plait_export.reference.frame import prepare_frame
from tests.cases.frame_bundle import frame_section, write_frame_bundle
from tests.cases.frames import Load, described, noise, raw, scene

IMAGENET: dict[str, Any] = {
    "scale": 1 / 255,
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}
Regions = list[tuple[int, int, int, int]]


def some_regions(
    generator: np.random.Generator, count: int, rows: int, columns: int, unit: int = 1
) -> Regions:
    regions = []
    for _ in range(count):
        x, y = (int(generator.integers(0, side // unit)) for side in (columns, rows))
        width, height = (
            int(generator.integers(1, side // unit - start + 1))
            for side, start in ((columns, x), (rows, y))
        )
        regions.append((unit * x, unit * y, unit * width, unit * height))
    return regions


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_float16_is_numpys_rounding_of_the_float32_input(
    load: Load, generator: np.random.Generator, layout: str, fit: str
) -> None:
    said = {**IMAGENET, "layout": layout, "fit": fit, "pad": 114, "size": (29, 35)}
    sections = {
        f"{arithmetic}_{dtype}": frame_section(**said, arithmetic=arithmetic, dtype=dtype)
        for arithmetic in ("exact", "fast")
        for dtype in ("float32", "float16")
    }
    model = load(**sections)
    image = noise(generator, 61, 77)
    for arithmetic in ("exact", "fast"):
        half = model.prepare(f"{arithmetic}_float16", image)
        assert half.dtype == np.float16
        wide = model.prepare(f"{arithmetic}_float32", image)
        np.testing.assert_array_equal(half, wide.astype(np.float16))


@pytest.mark.parametrize("pixel_format", ["bgr8", "nv12", "gray8"])
def test_uint8_is_the_level_rounded_to_even(
    load: Load, generator: np.random.Generator, pixel_format: str
) -> None:
    said = {"format": pixel_format, "size": (23, 41), "fit": "letterbox", "pad": 12.5}
    sections = {
        f"{arithmetic}_{dtype}": frame_section(**said, arithmetic=arithmetic, dtype=dtype)
        for arithmetic in ("exact", "fast")
        for dtype in ("float32", "uint8")
    }
    model = load(**sections)
    frame = raw(generator, pixel_format, 70, 50)
    for arithmetic in ("exact", "fast"):
        levels = model.prepare(f"{arithmetic}_uint8", frame)
        assert levels.dtype == np.uint8
        np.testing.assert_array_equal(
            levels, np.rint(model.prepare(f"{arithmetic}_float32", frame)).astype(np.uint8)
        )


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("arithmetic", ["exact", "fast"])
def test_every_element_type_is_within_the_references_bound(
    load: Load, generator: np.random.Generator, dtype: str, arithmetic: str
) -> None:
    units = {} if dtype == "uint8" else IMAGENET
    section = frame_section(
        **units, dtype=dtype, arithmetic=arithmetic, size=(30, 44), filter="bicubic"
    )
    description = described(section)
    model = load(camera=section)
    for _ in range(5):
        image = scene(generator, int(generator.integers(9, 90)), int(generator.integers(9, 90)))
        expected = prepare_frame(description, image)
        prepared = model.prepare("camera", image)
        assert prepared.dtype == expected.dtype == dtype
        difference = np.abs(prepared.astype(np.float64) - expected.astype(np.float64)).max()
        largest = np.abs(expected.astype(np.float64)).max()
        assert difference <= bound(description, expected) * largest


def test_the_encoder_gets_the_declared_type(load: Load, generator: np.random.Generator) -> None:
    model = load(camera=frame_section(dtype="uint8"))
    image = noise(generator, 40, 50)
    prepared = model.prepare("camera", image)
    embedding = model.encode("camera", image)
    np.testing.assert_array_equal(model.encode_prepared("camera", prepared), embedding)
    np.testing.assert_allclose(embedding[0, 0], prepared.mean(), rtol=1e-5)
    with pytest.raises(plait.SampleError, match="uint8"):
        model.encode_prepared("camera", prepared.astype(np.float32))


@pytest.mark.parametrize("pixel_format", ["rgb8", "nv12"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_regions_together_are_the_regions_alone(
    tmp_path: Path, generator: np.random.Generator, pixel_format: str, threads: int
) -> None:
    section = frame_section(
        format=pixel_format, arithmetic="fast", layout="NCHW", filter="bicubic", **IMAGENET
    )
    path = write_frame_bundle(tmp_path / "frames.plait", {"camera": section})
    model = plait.load(path, threads=threads)
    frame = raw(generator, pixel_format, 90, 130)
    for count in (0, 1, 3, 20):
        regions = some_regions(generator, count, 90, 130, unit=2)
        together = model.prepare_regions("camera", frame, regions)
        assert together.shape == (count, 3, 23, 31)
        embeddings = model.encode_regions("camera", frame, regions)
        assert embeddings.shape == (count, 1)
        for i, region in enumerate(regions):
            part = plait.Frame(frame, region=region)
            assert together[i].tobytes() == model.prepare("camera", part)[0].tobytes()
            alone = model.encode("camera", part)[0]
            np.testing.assert_allclose(embeddings[i], alone, rtol=1e-4, atol=1e-5)


def test_regions_that_make_no_sense_are_refused(load: Load, generator: np.random.Generator) -> None:
    model = load(camera=frame_section(format="nv12"))
    frame = raw(generator, "nv12", 30, 40)
    wrong: list[tuple[Any, str]] = [
        ([(0, 0, 4, 4), (38, 0, 4, 4)], "region 1"),
        ([(1, 0, 4, 4)], "even"),
        ([(0, 0, 0, 4)], "at least one pixel"),
        ([(0, 0, 4)], "whole pixels"),
        ([(0, 0, 4.5, 4)], "whole pixels"),
    ]
    for regions, words in wrong:
        with pytest.raises(plait.SampleError, match=words):
            model.prepare_regions("camera", frame, regions)
    with pytest.raises(plait.SampleError, match="of its own"):
        model.prepare_regions("camera", plait.Frame(frame, region=(0, 0, 4, 4)), [(0, 0, 4, 4)])
    with pytest.raises(plait.ConfigError, match="none of that name"):
        model.prepare_regions("rear", frame, [(0, 0, 4, 4)])


def test_only_frames_have_regions(tiny_bundle: Path) -> None:
    model = plait.load(tiny_bundle, threads=1)
    with pytest.raises(plait.ConfigError, match="kind frame"):
        model.prepare_regions("gyroscope", np.zeros((4, 4, 3), np.uint8), [(0, 0, 2, 2)])


@pytest.mark.parametrize("pixel_format", ["bgr8", "nv12"])
@pytest.mark.parametrize("arithmetic", ["exact", "fast"])
def test_threads_change_no_bit_of_a_large_frame(
    tmp_path: Path, generator: np.random.Generator, pixel_format: str, arithmetic: str
) -> None:
    sections = {
        "small": frame_section(format=pixel_format, arithmetic=arithmetic, size=(224, 223)),
        "large": frame_section(format=pixel_format, arithmetic=arithmetic, size=(801, 1001)),
    }
    path = write_frame_bundle(tmp_path / "frames.plait", sections)
    one, two, many = (plait.load(path, threads=threads) for threads in (1, 2, 7))
    frame = raw(generator, pixel_format, 1080, 1920)
    for name in sections:
        expected = one.prepare(name, frame).tobytes()
        assert two.prepare(name, frame).tobytes() == expected
        assert many.prepare(name, frame).tobytes() == expected
