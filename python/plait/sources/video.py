"""Video files: pictures as the decoder gives them, without a conversion, and the sound track."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.errors import SampleError
from plait.frame import YUV_FORMATS, Frame
from plait.sources.timed import Source, Timed, package

Plane = NDArray[Any]

# The decoder's name of a pixel format -> ours, channels of its first plane.
_FORMATS = {
    "yuv420p": ("i420", 1),
    "yuvj420p": ("i420", 1),
    "nv12": ("nv12", 1),
    "nv21": ("nv21", 1),
    "yuyv422": ("yuyv", 2),
    "uyvy422": ("uyvy", 2),
    "rgb24": ("rgb8", 3),
    "bgr24": ("bgr8", 3),
    "rgba": ("rgba8", 4),
    "bgra": ("bgra8", 4),
    "gray": ("gray8", 1),
    "gray16le": ("gray16", 1),
}
# ITU-T H.273: matrix_coefficients, and the decoder's colour ranges. What is not here is not said.
_MATRICES = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
_NO_MATRIX = (0, 2)  # RGB, and "unspecified"
_RANGES = {1: "limited", 2: "full"}


class Video(Source):
    """The pictures of a video file, each at its presentation time from the file's begin on.

    Frames view the decoder's memory: planes of Y, U and V stay as they are stored. A picture that
    the file says to show turned is turned (a copy).

    Attributes:
        format: of the frames, as plait.Frame names it.
        matrix, range: how the file says that it encodes colours ("bt601", "bt709", "bt2020";
            "limited", "full"); None where it does not say, or the format has none.
        duration_ns: the file's own statement, or None.

    Raises:
        SampleError: no such file, no video in it, or pixels in a format that Plait does not take;
            while reading, data that can't be decoded.
        ConfigError: the package av is missing.
    """

    def __init__(self, path: str | Path, name: str = "video") -> None:
        super().__init__(name)
        self.path = Path(path)
        self._container, self._stream = open_stream(self.path, "video")
        self.duration_ns = stream_duration_ns(self._container, self._stream)
        self._start_ns = start_ns(self._container)
        self._decoded = self._decode()
        self._first: Any = next(self._decoded, None)
        if self._first is None:
            raise SampleError(
                where=str(self.path),
                expected="at least one picture",
                got="none that can be decoded",
                action="Check the file in a player.",
            )
        self.format, _ = self._known_format(self._first)
        self.matrix = self._matrix(self._first)
        self.range = self._range(self._first)

    def _samples(self) -> Iterator[Timed]:
        picture, self._first = self._first, None
        last_ns = -1
        while picture is not None:
            # Some muxers repeat a stamp; what has none follows the one before.
            if picture.time is not None:
                last_ns = max(round(picture.time * 1e9) - self._start_ns, last_ns + 1)
            else:
                last_ns += 1
            yield Timed(self.name, last_ns, self._frame(picture))
            picture = next(self._decoded, None)

    def _decode(self) -> Iterator[Any]:
        error_type = package("av", str(self.path)).error.FFmpegError
        try:
            yield from self._container.decode(self._stream)
        except error_type as error:
            raise damaged(self.path, "pictures", error) from error

    def _release(self) -> None:
        self._container.close()

    def _frame(self, picture: Any) -> Frame:
        format, channels = self._known_format(picture)
        planes = [_view(plane) for plane in picture.planes]
        first = planes[0][:, : picture.width * channels * (2 if format == "gray16" else 1)]
        if format == "gray16":
            planes = [first.view(np.uint16)]
        elif channels > 1:
            planes = [first.reshape(picture.height, picture.width, channels)]
        elif format in ("nv12", "nv21"):
            planes = [first, planes[1][:, : picture.width]]
        elif format == "i420":
            planes = [first, *(plane[:, : picture.width // 2] for plane in planes[1:])]
        else:
            planes = [first]
        planes = self._upright(planes, format, picture.rotation)
        return Frame(tuple(planes) if len(planes) > 1 else planes[0], format)

    def _upright(self, planes: list[Plane], format: str, degrees: float) -> list[Plane]:
        """Turned counter-clockwise, as the file says it is to be shown."""
        quarters = round(degrees / 90.0) % 4
        if quarters == 0:
            return planes
        if format in ("yuyv", "uyvy"):
            raise SampleError(
                where=str(self.path),
                expected=f"pictures of format {format} that are stored upright",
                got=f"pictures to be turned by {degrees:g} degrees",
                action="Convert the video, for instance with ffmpeg -pix_fmt yuv420p.",
            )
        if format in ("nv12", "nv21"):
            chroma = planes[1].reshape(planes[1].shape[0], -1, 2)
            planes = [planes[0], chroma]
        return [np.ascontiguousarray(np.rot90(plane, quarters)) for plane in planes]

    def _known_format(self, picture: Any) -> tuple[str, int]:
        name = picture.format.name
        odd = name in ("yuv420p", "yuvj420p", "nv12", "nv21") and (
            picture.width % 2 or picture.height % 2
        )
        if name not in _FORMATS or odd:
            size = f" of {picture.width} x {picture.height}" if odd else ""
            raise SampleError(
                where=str(self.path),
                expected=f"pixels as {', '.join(_FORMATS)}; halved chroma of an even size",
                got=f"{name}{size}",
                action="Convert the video, for instance with ffmpeg -pix_fmt yuv420p.",
            )
        return _FORMATS[name]

    def _matrix(self, picture: Any) -> str | None:
        code = int(picture.colorspace)
        if self.format not in YUV_FORMATS or code in _NO_MATRIX:
            return None
        if code not in _MATRICES:
            raise SampleError(
                where=str(self.path),
                expected="colours encoded by BT.601, BT.709 or BT.2020",
                got=f"matrix coefficients {code} of ITU-T H.273",
                action="Convert the video to BT.709.",
            )
        return _MATRICES[code]

    def _range(self, picture: Any) -> str | None:
        if self.format not in YUV_FORMATS:
            return None
        if picture.format.name == "yuvj420p":
            return "full"
        return _RANGES.get(int(picture.color_range))


def open_stream(path: Path, kind: str) -> tuple[Any, Any]:
    """The container and its first stream of a kind. Raises SampleError, ConfigError."""
    av = package("av", str(path))
    try:
        container = av.open(str(path))
    except (OSError, av.error.FFmpegError) as error:
        raise SampleError(
            where=str(path),
            expected=f"a file with {kind}",
            got=getattr(error, "strerror", None) or str(error),
            action="Check the path, and the file in a player.",
        ) from error
    streams = getattr(container.streams, kind)
    if not streams:
        container.close()
        raise SampleError(
            where=str(path),
            expected=f"a file with {kind}",
            got=f"{len(container.streams)} streams, none of them {kind}",
            action="Name another file.",
        )
    return container, streams[0]


def start_ns(container: Any) -> int:
    """The presentation time at which a file begins: not 0 where it was cut out of a broadcast."""
    return 0 if container.start_time is None else int(container.start_time) * 1000


def stream_duration_ns(container: Any, stream: Any) -> int | None:
    """How long a stream is by its file's own statement; None where the file says nothing."""
    if stream.duration is not None:
        return round(float(stream.duration * stream.time_base) * 1e9)
    return None if container.duration is None else int(container.duration) * 1000


def damaged(path: Path, what: str, error: Exception) -> SampleError:
    """A file that can't be decoded to its end."""
    return SampleError(
        where=str(path),
        expected=f"{what} that can be decoded to the end",
        got=getattr(error, "strerror", None) or str(error),
        action="Check the file in a player, or copy it again.",
    )


def _view(plane: Any) -> Plane:
    """A plane's memory as [height, bytes of a row], which keeps the decoder's frame alive."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
