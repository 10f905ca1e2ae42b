"""Whether there is memory enough to build an engine: a kernel kills a build that runs out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from plait.errors import BackendError

# The builder itself, and what it holds of a graph's weights at once: parsed, converted, packed and
# serialized. Measured of TensorRT-RTX 1.7: 0.3 GB with nothing to hold, 0.9 GB for 0.18 GB.
_BUILDER_BYTES = 400 * 2**20
_COPIES_OF_WEIGHTS = 4


def needed_bytes(graph_sha256: str, graph_bytes: int, past: Iterable[Mapping[str, Any]]) -> int:
    """An estimate: the most that an earlier build of this graph took, else by its size.

    past: reports of earlier builds, each with `graph_sha256` and `peak_rss_bytes`.
    """
    peaks = [
        int(report["peak_rss_bytes"])
        for report in past
        if report.get("graph_sha256") == graph_sha256 and report.get("peak_rss_bytes")
    ]
    return max(peaks, default=_BUILDER_BYTES + _COPIES_OF_WEIGHTS * graph_bytes)


def available_bytes(root: Path = Path("/")) -> int | None:
    """What the kernel says can still be had, within this process's control group; None: unknown."""
    found = [size for size in (_free(root), _free_in_group(root)) if size is not None]
    return min(found, default=None)


def check_memory(where: str, needed: int, limit: int | None, available: int | None) -> None:
    """Raises BackendError where a build would not fit."""
    room = min((size for size in (limit, available) if size is not None), default=None)
    if room is None or needed <= room:
        return
    asked = limit is not None and limit == room
    raise BackendError(
        where=where,
        expected=f"about {_megabytes(needed)} of memory to build it",
        got=f"{_megabytes(room)} {'by --max-memory' if asked else 'available'}",
        action="Allow more with --max-memory."
        if asked
        else "Stop other programs, add swap on a "
        "disk (not zram), or build on a larger machine of the same kind.",
    )


def _free(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    fields = {line.partition(":")[0]: line.split() for line in lines}
    sizes = [fields.get(name, ["", ""])[1] for name in ("MemAvailable", "SwapFree")]
    if not sizes[0].isdigit():
        return None
    return sum(int(size) * 1024 for size in sizes if size.isdigit())


def _free_in_group(root: Path) -> int | None:
    folder = root / "sys/fs/cgroup"
    try:
        most = (folder / "memory.max").read_text().strip()
        used = (folder / "memory.current").read_text().strip()
    except OSError:
        return None
    return max(0, int(most) - int(used)) if most.isdigit() and used.isdigit() else None


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f} MB"
