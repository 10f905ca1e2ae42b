"""What every source gives: samples with the time at which each was complete."""

from __future__ import annotations

import heapq
import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from plait.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Timed:
    """One sample of a stream.

    name: the stream's: of a modality, where it feeds one. time_ns: nanoseconds at which the sample
    was complete: when a frame was taken, when a chunk of sound or a window of a signal ended. A
    file's time begins at 0, that of its own first sample; a device's is that of its clock. sample:
    what a model takes: plait.Frame, plait.Sound, plait.Series.
    """

    name: str
    time_ns: int
    sample: Any


class Source(ABC, Iterator[Timed]):
    """An iterator of samples in increasing time, and a context manager that releases what it holds.

    Reading raises SampleError where the file or the device fails in the middle.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._reading: Iterator[Timed] | None = None

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> Timed:
        if self._reading is None:
            self._reading = self._samples()
        return next(self._reading)

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Releases the file or device; nothing more is read. May be called again."""
        self._reading = iter(())
        self._release()

    @abstractmethod
    def _samples(self) -> Iterator[Timed]:
        """All samples, one after the other."""

    @abstractmethod
    def _release(self) -> None:
        """Closes what was opened. May be called again."""


class Merged(Source):
    """Several sources as one, in the order of time; of equal times the first source's first.

    One sample of each is read ahead. Closing closes all.
    """

    def __init__(self, *sources: Source) -> None:
        super().__init__("+".join(source.name for source in sources))
        self._sources = sources

    def _samples(self) -> Iterator[Timed]:
        return heapq.merge(*self._sources, key=lambda timed: timed.time_ns)

    def _release(self) -> None:
        for source in self._sources:
            source.close()


def package(name: str, what: str, extra: str = "sources") -> Any:
    """Imports a package that only some sources need. Raises ConfigError that names the extra."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: its shared library is not there
        raise ConfigError(
            where=what,
            expected=f"the package {name}",
            got=str(error),
            action=f"pip install 'plait[{extra}]'.",
        ) from error
