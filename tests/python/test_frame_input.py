"""What may be given as a frame, in which shapes and strides, and what is refused."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import plait
from tests.cases.frame_bundle import frame_section
from tests.cases.frames import Array, Load, by_pil, noise, raw


@pytest.mark.parametrize("arithmetic", ["exact", "fast"])
def test_a_region_is_prepared_as_the_cropped_frame(
    load: Load, generator: np.random.Generator, arithmetic: str
) -> None:
    model = load(
        camera=frame_section(size=(21, 17), filter="lanczos", arithmetic=arithmetic),
        video=frame_section(size=(21, 17), format="nv12", arithmetic=arithmetic),
    )
    image = noise(generator, 97, 131)
    for _ in range(10):
        x, y = int(generator.integers(0, 130)), int(generator.integers(0, 96))
        width, height = (int(generator.integers(1, n)) for n in (132 - x, 98 - y))
        framed = model.prepare("camera", plait.Frame(image, region=(x, y, width, height)))
        cut = image[y : y + height, x : x + width]
        np.testing.assert_array_equal(framed, model.prepare("camera", cut))
    whole = raw(generator, "nv12", 50, 70)
    luma, chroma = whole[:50], whole[50:]
    framed = model.prepare("video", plait.Frame(whole, region=(12, 6, 34, 28)))
    planes = (luma[6:34, 12:46], chroma[3:17, 12:46])
    np.testing.assert_array_equal(framed, model.prepare("video", plait.Frame(planes)))


@pytest.mark.parametrize("arithmetic", ["exact", "fast"])
def test_strided_views_are_prepared_as_their_copies(
    load: Load, generator: np.random.Generator, arithmetic: str
) -> None:
    model = load(
        camera=frame_section(size=(19, 23), format="bgr8", arithmetic=arithmetic),
        video=frame_section(size=(19, 23), format="i420", arithmetic=arithmetic),
    )
    large = noise(generator, 200, 300)
    for view in (large[3:120, 7:200], large[::2], large[5::3, 11:], large[:1, 4:9]):
        prepared = model.prepare("camera", view)
        np.testing.assert_array_equal(prepared, model.prepare("camera", view.copy()))
    frame = raw(generator, "i420", 40, 62)
    luma, chroma = frame[:40], frame[40:].reshape(2, 20, 31)
    padded = tuple(np.pad(plane, ((0, 0), (0, 9)))[:, :-9] for plane in (luma, *chroma))
    prepared = model.prepare("video", plait.Frame(padded))
    np.testing.assert_array_equal(prepared, model.prepare("video", frame))
    np.testing.assert_array_equal(prepared, model.prepare("video", plait.Frame(frame, "i420")))


def test_chroma_may_come_as_bytes_or_as_pairs(load: Load, generator: np.random.Generator) -> None:
    model = load(camera=frame_section(size=(9, 11), format="nv21", arithmetic="fast"))
    frame = raw(generator, "nv21", 30, 44)
    expected = model.prepare("camera", frame)
    for chroma in (frame[30:], frame[30:].reshape(15, 22, 2)):
        planes = plait.Frame((frame[:30], chroma))
        np.testing.assert_array_equal(model.prepare("camera", planes), expected)


def test_a_frame_may_state_another_format_than_the_bundle(
    load: Load, generator: np.random.Generator
) -> None:
    model = load(camera=frame_section(size=(17, 13), format="nv12"))
    image = noise(generator, 55, 81)
    expected = by_pil(image, 17, 13, "bilinear")
    alpha = np.concatenate([image, noise(generator, 55, 81, 1)], axis=2)
    for frame in (
        plait.Frame(image, "rgb8"),
        plait.Frame(np.ascontiguousarray(image[:, :, ::-1]), "bgr8"),
        plait.Frame(alpha, "rgba8"),
        plait.Frame(np.ascontiguousarray(alpha[:, :, [2, 1, 0, 3]]), "bgra8"),
    ):
        np.testing.assert_array_equal(model.prepare("camera", frame)[0], expected)


def test_a_run_answers_what_its_stages_answer(load: Load, generator: np.random.Generator) -> None:
    model = load(one=frame_section(size=(5, 7)), two=frame_section(size=(4, 4), format="nv12"))
    image, video = noise(generator, 33, 44), raw(generator, "nv12", 20, 30)
    result = model(one=image, two=plait.Frame(video))
    assert result.presence == {"one": "fresh", "two": "fresh"}
    total = sum(float(model.encode(n, f)[0, 0]) for n, f in (("one", image), ("two", video)))
    output = result["sum"].output
    assert output is not None and float(output[0]) == pytest.approx(total)
    assert result["sum"].output is not None
    alone = model(one=image, two=None)
    assert alone.presence["two"] == "absent"
    assert alone["sum"].output is not None
    means = model.prepare("one", image).mean()
    assert float(alone["sum"].output[0]) == pytest.approx(float(means), rel=1e-5)


BAD = [
    ("rgb8", np.zeros((4, 4), np.uint8), "[height, width, 3]"),
    ("rgb8", np.zeros((4, 4, 4), np.uint8), "[height, width, 3]"),
    ("rgb8", np.zeros((4, 4, 3), np.float32), "uint8"),
    ("rgb8", np.full((4, 4, 3), np.nan), "uint8"),
    ("rgb8", np.zeros((0, 4, 3), np.uint8), "at least one pixel"),
    ("rgb8", np.zeros((4, 0, 3), np.uint8), "at least one pixel"),
    ("rgb8", np.zeros((4, 4, 3), np.uint8)[::-1], "rows at least 12 bytes apart"),
    ("rgb8", np.zeros((4, 4, 3), np.uint8)[:, ::-1], "next to one another"),
    ("rgb8", np.zeros((4, 4, 3), np.uint8)[:, :, ::-1], "next to one another"),
    ("rgb8", np.zeros((4, 8, 3), np.uint8)[:, ::2], "next to one another"),
    ("rgb8", np.zeros((3, 4, 4), np.uint8).transpose(1, 2, 0), "next to one another"),
    ("rgb8", np.broadcast_to(np.zeros((4, 3), np.uint8), (4, 4, 3)), "bytes apart"),
    ("gray8", np.zeros((4, 4), np.uint16), "uint8"),
    ("nv12", np.zeros((7, 4), np.uint8), "even height and width"),
    ("nv12", np.zeros((9, 4), np.uint8)[:, :3], "even"),
    ("i420", np.zeros((6, 8), np.uint8)[:, :4], "one contiguous array"),
    ("yuyv", np.zeros((4, 5, 2), np.uint8), "even"),
    ("yuyv", np.zeros((4, 8), np.uint8), "[height, width, 2]"),
]


@pytest.mark.parametrize(("pixel_format", "frame", "words"), BAD)
def test_a_frame_that_is_not_its_format_is_refused(
    load: Load, pixel_format: str, frame: Array, words: str
) -> None:
    channels = "GRAY" if pixel_format == "gray8" else "RGB"
    model = load(camera=frame_section(format=pixel_format, channels=channels))
    with pytest.raises(plait.SampleError) as refusal:
        model.prepare("camera", frame)
    assert words in str(refusal.value)
    assert "camera" in refusal.value.where


@pytest.mark.parametrize(
    "region",
    [
        (0, 0, 0, 0),
        (-1, 0, 3, 3),
        (0, 0, 9, 3),
        (7, 0, 2, 2),
        (0, 0, 2**62, 2**62),
        (2**63 - 1,) * 4,
    ],
)
def test_a_region_outside_the_frame_is_refused(load: Load, region: tuple[int, ...]) -> None:
    model = load(camera=frame_section())
    with pytest.raises(plait.SampleError, match="region"):
        model.prepare("camera", plait.Frame(np.zeros((8, 8, 3), np.uint8), region=region))


@pytest.mark.parametrize(
    "planes",
    [
        (np.zeros((4, 6), np.uint8),),
        (np.zeros((4, 6), np.uint8), np.zeros((2, 5), np.uint8)),
        (np.zeros((4, 6), np.uint8), np.zeros((3, 6), np.uint8)),
        (np.zeros((5, 6), np.uint8), np.zeros((2, 6), np.uint8)),
        (np.zeros((4, 6), np.uint8), np.zeros((2, 3, 3), np.uint8)),
        (np.zeros((4, 6), np.uint8), np.zeros((2, 6), np.int16)),
        (np.zeros((4, 7), np.uint8), np.zeros((2, 7), np.uint8)),
    ],
)
def test_planes_that_do_not_fit_together_are_refused(load: Load, planes: tuple[Array, ...]) -> None:
    model = load(camera=frame_section(format="nv12"))
    with pytest.raises(plait.SampleError):
        model.prepare("camera", plait.Frame(planes))


def test_what_a_frame_says_of_itself_is_checked_when_it_is_made() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(plait.SampleError, match="nv12, nv21"):
        plait.Frame(image, "rgb")
    for region in ((0, 0, 2), (0, 0, 2, 2.5), "0022", (0, 0, 1, None)):
        with pytest.raises(plait.SampleError, match="x, y, width, height"):
            plait.Frame(image, region=cast(Any, region))


def test_a_sample_of_another_kind_is_refused(load: Load) -> None:
    model = load(camera=frame_section())
    for sample in (plait.Series(np.zeros((5, 3), np.float32)), object(), "frame.png"):
        with pytest.raises(plait.SampleError, match="camera"):
            model.prepare("camera", sample)
