"""How every benchmark measures and reports: interleaved rounds, medians, the machine on record."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "plait",
    "onnxruntime",
    "numpy",
    "torch",
    "Pillow",
    "opencv-python-headless",
    "transformers",
)


@dataclass(frozen=True)
class Row:
    """One measured claim. ratio is peer_ms / ours_ms: above 1, ours is faster."""

    name: str
    ours_ms: float
    peer: str
    peer_ms: float
    ratio: float
    roofline_ms: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Spread:
    """Milliseconds of many calls."""

    median: float
    p10: float
    p90: float
    rounds: int


def options(
    description: str, argv: Sequence[str] | None = None, **extra: Any
) -> argparse.Namespace:
    """--json FILE, --quick and --seed, plus a flag for each keyword with its default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, nargs="?", const=Path("-"), help="- or none: stdout")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for trying the script")
    parser.add_argument("--seed", type=int, default=0)
    for name, default in extra.items():
        kind = type(default) if default is not None else str
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    return parser.parse_args(argv)


def interleave(
    contestants: dict[str, Callable[[], object]], rounds: int, seed: int, warm_up: int = 50
) -> dict[str, Spread]:
    """Calls every contestant once a round, in random order, so that drift meets all alike."""
    for call in contestants.values():
        for _ in range(warm_up):
            call()
    order = list(contestants)
    shuffle = random.Random(seed).shuffle
    taken: dict[str, list[int]] = {name: [] for name in contestants}
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            call = contestants[name]
            start = time.perf_counter_ns()
            call()
            taken[name].append(time.perf_counter_ns() - start)
    return {name: spread([ns / 1e6 for ns in values]) for name, values in taken.items()}


def spread(milliseconds: Sequence[float]) -> Spread:
    """Median, tenth and ninetieth percentile."""
    deciles = statistics.quantiles(milliseconds, n=10)
    return Spread(statistics.median(milliseconds), deciles[0], deciles[8], len(milliseconds))


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": packages,
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def report(
    command: str, arguments: argparse.Namespace, rows: Sequence[Row], **details: Any
) -> None:
    """Prints a table, or writes JSON where asked for."""
    document = {
        "command": command,
        "machine": machine(),
        "rows": [asdict(row) for row in rows],
        **details,
    }
    if arguments.json is not None and str(arguments.json) != "-":
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    if arguments.json is not None and str(arguments.json) == "-":
        json.dump(document, sys.stdout, indent=2)
        print()
        return
    for row in rows:
        print(
            f"{row.name:44} {row.ours_ms:10.4f} ms   {row.peer_ms:10.4f} ms {row.peer:34} "
            f"{row.ratio:6.2f}x  {row.note}"
        )
