"""How a long export says where it is."""

from __future__ import annotations

from collections.abc import Callable

# Called with a stage ("trace", "quantize", ...), how much of it is done, and out of how much.
Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Says nothing."""
