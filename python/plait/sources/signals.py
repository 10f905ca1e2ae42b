"""Recorded signals, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from plait.sources.recordings import read_recording
from plait.sources.timed import Source, Timed


class Signals(Source):
    """Windows out of a .csv or .npy file of a signal; each has the time at which it ends.

    A file with a column of time gives plait.Series with time stamps, else arrays [window, channels]
    and rows count as steady from time 0; see docs/cli.md for the columns.

    Args:
        path: the file.
        channels: names of the columns, in the sensor's order.
        rate_hz, window: nominal rate, and rows of a window.
        hop: nominal rows from one window to the next; None for a whole window.
        name: of the stream.

    Raises:
        SampleError: a file that can't be read, has other channels, or is shorter than a window.
    """

    def __init__(
        self,
        path: str | Path,
        channels: Sequence[str],
        *,
        rate_hz: float,
        window: int,
        hop: int | None = None,
        name: str = "signal",
    ) -> None:
        super().__init__(name)
        section = {"channels": list(channels), "rate_hz": rate_hz, "window": window}
        self.recording = read_recording(Path(path), name, section)
        self._hop = hop or window

    def _samples(self) -> Iterator[Timed]:
        recording = self.recording
        end_ns = recording.time_ns(len(recording.values) - 1)
        time_ns, index = recording.first_end_ns(), 0
        while time_ns <= end_ns:
            last = recording.last_row(time_ns)
            sample = recording.sample(recording.first_row(last), last)
            yield Timed(self.name, time_ns, sample)
            index += 1
            time_ns = recording.first_end_ns() + round(index * self._hop * recording.period_ns)

    def _release(self) -> None:
        """The file was read, or is mapped by the arrays themselves."""
