"""What the descriptions of all kinds of modality share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from plait import ConfigError
from plait_export.checks import is_number

WhenMissing = Literal["learned", "mask", "refuse"]
WHEN_MISSING = ("learned", "mask", "refuse")


def per_channel(values: Sequence[float] | None, default: float, count: int) -> tuple[float, ...]:
    """One number a channel; the default where none are given."""
    return (default,) * count if values is None else tuple(float(value) for value in values)


def check_statistics(where: str, mean: object, std: object, count: int) -> None:
    """A mean and a std for each channel, or None; std above 0. Raises ConfigError."""
    for what, values in (("mean", mean), ("std", std)):
        if values is None:
            continue
        if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != count:
            raise ConfigError(
                where=where,
                expected=f"{what} with one value for each of {count} channels",
                got=repr(values),
                action="Give them in the order of channels.",
            )
        bad = [v for v in values if not is_number(v) or (what == "std" and float(v) <= 0.0)]  # type: ignore[attr-defined]
        if bad:
            raise ConfigError(
                where=where,
                expected=f"finite {what}" + (" above 0" if what == "std" else ""),
                got=", ".join(map(repr, bad)),
                action="A channel that never changes has no std: leave it out, or give it 1.",
            )
