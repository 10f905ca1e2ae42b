"""What several kinds of modality share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def statistics_line(section: Mapping[str, Any]) -> str:
    """Mean and standard deviation of a description, for people."""
    return f"mean {numbers(section['mean'])}, std {numbers(section['std'])}"


def numbers(values: Sequence[float]) -> str:
    """A list of numbers, for people."""
    return f"[{', '.join(f'{value:.4g}' for value in values)}]"
