"""Sources of files: one file, or those of a folder in the order of their names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plait.errors import SampleError
from plait.sources.timed import Source, Timed


class Files(Source):
    """One sample a file, evenly spaced in time; a file is open only while it is read.

    Args:
        path: a file, or a folder; of the folder's files those ending in one of suffixes.
        name: of the stream.
        period_s: from one sample to the next: the first is of time 0.
        suffixes: lower case, with the dot.
        what: the samples, for messages: "pictures".

    Raises:
        SampleError: no such file, or a folder without one; while reading, a file that is none.
    """

    def __init__(
        self, path: str | Path, name: str, period_s: float, *, suffixes: tuple[str, ...], what: str
    ) -> None:
        super().__init__(name)
        self._period_ns = round(period_s * 1e9)
        self.files = _files(Path(path), suffixes, what)

    @property
    def duration_ns(self) -> int:
        """When the last sample is."""
        return (len(self.files) - 1) * self._period_ns

    @abstractmethod
    def _read(self, file: Path) -> Any:
        """The sample in a file."""

    def _samples(self) -> Iterator[Timed]:
        for index, file in enumerate(self.files):
            yield Timed(self.name, index * self._period_ns, self._read(file))

    def _release(self) -> None:
        """Nothing is open between two files."""


def _files(path: Path, suffixes: tuple[str, ...], what: str) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes)
        if found:
            return found
        raise SampleError(
            where=str(path),
            expected=f"a folder with files that end in {', '.join(suffixes)}",
            got="none",
            action=f"Convert the {what}, or name another folder.",
        )
    if not path.exists():
        raise SampleError(
            where=str(path),
            expected=f"{what}: a file or a folder",
            got="no such file",
            action="Check it.",
        )
    return [path]
