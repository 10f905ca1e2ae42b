"""Microphones, by sounddevice (PortAudio)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from plait.errors import SampleError
from plait.sound import Sound
from plait.sources.timed import Source, Timed, package


class Microphone(Source):
    """A microphone in chunks of plait.Sound, float32 [frames, channels]; there is no last one.

    Each chunk has the time at which it had been read.

    Args:
        device: its number or a part of its name; None for the system's own choice.
        rate_hz, channels: as the device is asked to give; a bundle's sensor says which.
        name: of the stream.
        chunk_s: seconds of a chunk.
        clock: nanoseconds; a device's times are this clock's.

    Raises:
        SampleError: the device does not open so; while reading, it fails, or sound was lost because
            chunks were not read in time.
        ConfigError: the package sounddevice or its PortAudio is missing.
    """

    def __init__(
        self,
        device: int | str | None = None,
        *,
        rate_hz: float = 16000.0,
        channels: int = 1,
        name: str = "microphone",
        chunk_s: float = 0.1,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(name)
        self._clock = clock
        self._where = "microphone" if device is None else f"microphone {device}"
        self.rate_hz = float(rate_hz)
        self.channels = channels
        self._chunk = max(1, round(chunk_s * rate_hz))
        sounddevice = package("sounddevice", self._where, extra="microphone")
        self._failures: tuple[type[Exception], ...] = (sounddevice.PortAudioError, ValueError)
        try:
            self._stream: Any = sounddevice.InputStream(
                samplerate=rate_hz, channels=channels, dtype="float32", device=device
            )
            self._stream.start()
        except self._failures as error:
            raise SampleError(
                where=self._where,
                expected=f"a device that gives {channels} channels at {rate_hz:g} Hz",
                got=str(error),
                action="`python -m sounddevice` lists devices.",
            ) from error

    def _samples(self) -> Iterator[Timed]:
        last_ns = -1
        while True:
            try:
                values, lost = self._stream.read(self._chunk)
            except self._failures as error:
                raise self._failed(str(error), "Was it unplugged? Open it again.") from error
            if lost:
                raise self._failed("sound that was lost", "Read sooner, or larger chunks.")
            last_ns = max(self._clock(), last_ns + 1)
            yield Timed(self.name, last_ns, Sound(values, self.rate_hz))

    def _failed(self, got: str, action: str) -> SampleError:
        return SampleError(where=self._where, expected="sound", got=got, action=action)

    def _release(self) -> None:
        self._stream.close()
