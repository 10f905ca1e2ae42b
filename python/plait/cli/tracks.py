"""One modality over time, read forwards: what there is of it at the moment of an answer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from plait.errors import SampleError
from plait.sound import Sound
from plait.sources import Source, Timed
from plait.sources.recordings import Recording

# A hole in a sound track beyond this begins a new stretch of sound.
_MOST_GAP_NS = 2_000_000


@dataclass(frozen=True)
class Taken:
    """A sample, or None where there is no whole one; and when it was complete, or None for what
    does not age."""

    sample: Any
    time_ns: int | None


class Track(Protocol):
    """modality: whose. first_ns: when there first is a whole sample; None: always. last_ns: the
    time of the last one; None: there is no end, or it is not known yet."""

    @property
    def modality(self) -> str: ...
    @property
    def first_ns(self) -> int | None: ...
    @property
    def last_ns(self) -> int | None: ...

    def at(self, time_ns: int) -> Taken:
        """The newest sample at a time that is not before the last one asked for, nor first_ns."""

    def close(self) -> None:
        """Releases the file or device."""


@dataclass(frozen=True)
class Still:
    """One sample that goes with every answer: a picture, a text."""

    modality: str
    sample: Any
    first_ns: int | None = None
    last_ns: int | None = None

    def at(self, time_ns: int) -> Taken:
        return Taken(self.sample, None)

    def close(self) -> None:
        """Nothing is open."""


class SignalTrack:
    """Windows of a recorded signal."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.modality = recording.modality
        self.first_ns: int | None = recording.first_end_ns()
        self.last_ns: int | None = recording.time_ns(len(recording.values) - 1)

    def at(self, time_ns: int) -> Taken:
        last = self.recording.last_row(time_ns)
        sample = self.recording.sample(self.recording.first_row(last), last)
        return Taken(sample, self.recording.time_ns(last))

    def close(self) -> None:
        """The file was read, or is mapped by the samples themselves."""


class FrameTrack:
    """The newest picture of a source. duration_ns: where the source says; for progress."""

    def __init__(self, source: Source, duration_ns: int | None = None) -> None:
        self.modality = source.name
        self.duration_ns = duration_ns
        self.last_ns: int | None = None
        self._source = source
        self._current: Timed | None = None
        self._next: Timed | None = next(source)
        self.first_ns: int | None = self._next.time_ns

    def next_ns(self) -> int | None:
        """The time of the picture after the newest; None past the end. May wait for a device."""
        if self._next is None and self.last_ns is None:
            self._next = next(self._source, None)
            if self._next is None and self._current is not None:
                self.last_ns = self._current.time_ns
        return None if self._next is None else self._next.time_ns

    def at(self, time_ns: int) -> Taken:
        # A picture of this very moment is the newest: times increase, no other need be waited for.
        while self._current is None or self._current.time_ns < time_ns:
            following = self.next_ns()
            if following is None or following > time_ns:
                break
            self._current, self._next = self._next, None
        assert self._current is not None
        return Taken(self._current.sample, self._current.time_ns)

    def close(self) -> None:
        self._source.close()


class SoundTrack:
    """The stretch of sound that ends at the moment of an answer.

    frames: how many frames at rate_hz it has. whole: whether less will not do. mono: mix all
    channels to one, their mean. duration_ns: where the source says; for progress.
    """

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float,
        frames: int,
        whole: bool,
        mono: bool,
        duration_ns: int | None = None,
    ) -> None:
        self.modality = source.name
        self.duration_ns = duration_ns
        self.last_ns: int | None = None
        self._source = source
        self._rate_hz = rate_hz
        self._frames = frames
        self._mono = mono
        self._chunks: deque[NDArray[Any]] = deque()
        self._held = 0  # frames in chunks
        self._count = 0  # frames since _begin_ns
        self._begin_ns = 0
        self._whole = whole
        self._read()
        if self._count == 0:
            raise SampleError(
                where=source.name, expected="sound", got="none", action="Name another file."
            )
        self.first_ns: int | None = self._time_ns(frames if whole else min(frames, self._count))

    def at(self, time_ns: int) -> Taken:
        while self.last_ns is None and self._time_ns(self._count) < time_ns:
            self._read()
        # Half a nanosecond of play: times come out of the same rounding.
        end = int((time_ns - self._begin_ns + 0.5) * self._rate_hz / 1e9)
        end = max(0, min(end, self._count))
        values = np.concatenate(self._chunks)
        stop = len(values) - (self._count - end)
        part = values[max(0, stop - self._frames) : max(0, stop)]
        if len(part) == 0 or (self._whole and len(part) < self._frames):
            return Taken(None, self._time_ns(end))  # a hole in the sound lies too near
        return Taken(Sound(self._mixed(part), self._rate_hz), self._time_ns(end))

    def close(self) -> None:
        self._source.close()

    def _time_ns(self, frame: int) -> int:
        return self._begin_ns + round(frame / self._rate_hz * 1e9)

    def _read(self) -> None:
        chunk = next(self._source, None)
        if chunk is None:
            self.last_ns = self._time_ns(self._count)
            return
        values = chunk.sample.values
        begin_ns = chunk.time_ns - round(len(values) / self._rate_hz * 1e9)
        if self._count == 0 or abs(begin_ns - self._time_ns(self._count)) > _MOST_GAP_NS:
            self._chunks.clear()
            self._held, self._count, self._begin_ns = 0, 0, begin_ns
        self._chunks.append(values)
        self._held += len(values)
        self._count += len(values)
        while self._held - len(self._chunks[0]) >= self._frames + len(values):
            self._held -= len(self._chunks.popleft())

    def _mixed(self, values: NDArray[Any]) -> NDArray[Any]:
        if not self._mono or values.shape[1] == 1:
            return values
        if values.dtype == np.int16:
            values = values.astype(np.float32) / 32768.0
        mixed: NDArray[Any] = values.mean(axis=1, dtype=np.float32)[:, np.newaxis]
        return mixed
