"""Sound out of files: WAV, FLAC, Ogg and others by soundfile, the sound track of videos by av."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.errors import SampleError
from plait.sound import Sound
from plait.sources.timed import Source, Timed, package
from plait.sources.video import damaged, open_stream, start_ns, stream_duration_ns

# The decoder's sample formats: a trailing p is planar. What one unit is of full scale.
_FULL_SCALE = {"s16": None, "flt": None, "dbl": 1.0, "s32": 2.0**31}


class SoundFile(Source):
    """A sound file in chunks of plait.Sound, each with the time at which it ends.

    Values are [frames, channels]: int16 where the file holds 16 bits, else float32 in -1 to 1.

    Args:
        path: .wav, .flac, .ogg, .mp3, ...: what libsndfile reads.
        name: of the stream.
        chunk_s: seconds of a chunk; the last may be shorter.

    Attributes:
        rate_hz, channels, duration_ns.

    Raises:
        SampleError: no such file, or none that libsndfile reads; while reading, a damaged one.
        ConfigError: the package soundfile is missing.
    """

    def __init__(self, path: str | Path, name: str = "sound", *, chunk_s: float = 0.1) -> None:
        super().__init__(name)
        self.path = Path(path)
        soundfile = package("soundfile", str(path))
        self._failure: type[Exception] = soundfile.SoundFileError
        try:
            self._file: Any = soundfile.SoundFile(str(path))
        except (self._failure, OSError, TypeError) as error:
            raise SampleError(
                where=str(path),
                expected="a sound file: .wav, .flac, .ogg, ...",
                got=getattr(error, "strerror", None) or str(error),
                action="Check the path, or convert the file.",
            ) from error
        self.rate_hz = float(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.duration_ns = round(self._file.frames / self.rate_hz * 1e9)
        self._dtype = "int16" if self._file.subtype == "PCM_16" else "float32"
        self._chunk = max(1, round(chunk_s * self.rate_hz))

    def _samples(self) -> Iterator[Timed]:
        frames = 0
        while True:
            try:
                values = self._file.read(self._chunk, dtype=self._dtype, always_2d=True)
            except self._failure as error:
                raise damaged(self.path, "sound", error) from error
            if len(values) == 0:
                return
            frames += len(values)
            yield Timed(self.name, round(frames / self.rate_hz * 1e9), Sound(values, self.rate_hz))

    def _release(self) -> None:
        self._file.close()


class VideoSound(Source):
    """The sound track of a video (or of any file that FFmpeg reads) in chunks of plait.Sound.

    Values are [frames, channels] as decoded: int16, or float32 in about -1 to 1 (what the decoder
    gives in 64 or 32-bit numbers becomes float32). Each chunk has the time at which it ends, on the
    same clock as the pictures of Video.

    Attributes:
        rate_hz, channels, duration_ns (None where the file does not say).

    Raises:
        SampleError: no such file, no sound in it, or in a format that Plait does not take; while
            reading, data that can't be decoded.
        ConfigError: the package av is missing.
    """

    def __init__(self, path: str | Path, name: str = "sound") -> None:
        super().__init__(name)
        self.path = Path(path)
        self._container, self._stream = open_stream(self.path, "audio")
        self.rate_hz = float(self._stream.rate)
        self.channels = int(self._stream.channels)
        self.duration_ns = stream_duration_ns(self._container, self._stream)

    def _samples(self) -> Iterator[Timed]:
        failure = package("av", str(self.path)).error.FFmpegError
        begin_ns, last_ns = start_ns(self._container), 0
        try:
            for chunk in self._container.decode(self._stream):
                values = self._values(chunk)
                length_ns = round(len(values) / self.rate_hz * 1e9)
                first_ns = last_ns if chunk.time is None else round(chunk.time * 1e9) - begin_ns
                last_ns = max(last_ns + 1, first_ns + length_ns)
                yield Timed(self.name, last_ns, Sound(values, self.rate_hz))
        except failure as error:
            raise damaged(self.path, "sound", error) from error

    def _release(self) -> None:
        self._container.close()

    def _values(self, chunk: Any) -> NDArray[Any]:
        """[frames, channels] of int16 or float32."""
        name = chunk.format.name
        array: NDArray[Any] = chunk.to_ndarray()
        values = array.T if name.endswith("p") else array.reshape(-1, len(chunk.layout.channels))
        name = name.removesuffix("p")
        if name not in _FULL_SCALE:
            raise SampleError(
                where=str(self.path),
                expected=f"sound decoded as {', '.join(_FULL_SCALE)}",
                got=name,
                action="Convert the sound track, for instance to 16-bit WAV.",
            )
        scale = _FULL_SCALE[name]
        return values if scale is None else (values / scale).astype(np.float32)


def has_sound(path: str | Path) -> bool:
    """Whether a file that FFmpeg reads has a sound track. Raises SampleError, ConfigError."""
    av = package("av", str(path))
    try:
        with av.open(str(path)) as container:
            return bool(container.streams.audio)
    except (OSError, av.error.FFmpegError) as error:
        raise damaged(Path(path), "a file", error) from error
