"""Where output goes: answers to stdout, everything for the eye that is no answer to stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

Report = Callable[[str, int, int], None]  # (stage, done, total)

errors = Console(stderr=True)


def console() -> Console:
    """Stdout, for tables. Made anew each time, so that it writes where sys.stdout now points."""
    return Console()


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """One JSON value and a line end on stdout. Numbers that JSON has no word for become null."""
    sys.stdout.write(json.dumps(_finite(value), indent=indent, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value


@contextmanager
def progress(*, wanted: bool = True) -> Iterator[Report]:
    """A progress bar a stage, on stderr while the work lasts; silent where that is no terminal."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not (wanted and errors.is_terminal),
        # rich would take what is printed meanwhile to the bars' console: answers to stderr.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    tasks: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total)

    with bars:
        yield report


def bytes_text(count: float) -> str:
    """A size for the eye: 532 B, 81.43 kB, 2.1 MB."""
    units = ("B", "kB", "MB", "GB")
    power = min(int(math.log10(max(count, 1.0)) // 3), len(units) - 1)
    return f"{count / 1000**power:.4g} {units[power]}"


def presence_text(presence: Sequence[str], modalities: Sequence[str]) -> str:
    """A presence set in words: what is there, or "all N"."""
    if len(presence) == len(modalities) > 1:
        return f"all {len(modalities)}"
    return " + ".join(presence) if presence else "nothing"


def verdict_text(ok: bool, good: str = "ok", bad: str = "DIVERGED") -> Text:
    """Green or red; the word says it too, for those who see no colour."""
    return Text(good, style="green") if ok else Text(bad, style="bold red")
