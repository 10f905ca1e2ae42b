"""What a user says of a modality that is a point cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from plait import ConfigError
from plait_export.checks import (
    check_choice,
    check_count,
    check_module,
    check_positive,
    check_words,
    is_number,
)
from plait_export.describe.common import WHEN_MISSING, WhenMissing, check_statistics, per_channel

if TYPE_CHECKING:
    from torch import nn

Overflow = Literal["refuse", "first", "spread"]
Place = Sequence[float]

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Units of length that a sensor may have, each with what one of it is in metres."""

# What the core takes.
MOST_CHANNELS = 64
MOST_POINTS = 10_000_000
_MOST_METRES = 1e9
_STRETCH = 1e-3


@dataclass(frozen=True, kw_only=True)
class Points:
    """A modality that is a point cloud: a LiDAR's sweep, a radar's returns.

    encoder: a module from float32 [batch, capacity, channels] to an embedding [batch, ...]. Points
        come first, in the sample's order; the rows behind them hold NaN, which the range filter of
        `plait_export.ops.voxel_reduce` drops and torch.isfinite finds.
    channels: what the encoder was trained with: x, y, z (metres, in the vehicle's frame), others.
    capacity: how many points it sees.
    overflow: what becomes of more: "refuse", "first" (those are kept) or "spread" (evenly chosen).
    range: the lower and the upper corner (x, y, z, metres) of what is kept; the upper itself is
        not. None: everything. What lies outside takes no place of the capacity.
    sensor_channels: the columns of a raw sample. None: the same as `channels`.
    sensor_unit: "m", "cm" or "mm", of the columns x, y, z.
    extrinsics: [3, 4], the rotation from the sensor to the vehicle, then the move in metres. A
        sample may state its own instead. None: not moved.
    mean, std: per channel; the encoder gets (value - mean) / std. None: 0 and 1.
    max_age_ms, when_missing: as in Signal.
    """

    encoder: nn.Module
    capacity: int
    max_age_ms: float
    when_missing: WhenMissing
    channels: Sequence[str] = ("x", "y", "z", "intensity")
    overflow: Overflow = "refuse"
    range: tuple[Place, Place] | None = None
    sensor_channels: Sequence[str] | None = None
    sensor_unit: str = "m"
    extrinsics: Sequence[Sequence[float]] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None

    @property
    def sensor_channel_names(self) -> tuple[str, ...]:
        """The columns of a raw sample."""
        return tuple(self.channels if self.sensor_channels is None else self.sensor_channels)

    @property
    def means(self) -> tuple[float, ...]:
        return per_channel(self.mean, 0.0, len(self.channels))

    @property
    def stds(self) -> tuple[float, ...]:
        return per_channel(self.std, 1.0, len(self.channels))

    def input_shape(self) -> tuple[int, int]:
        """The encoder's input without its batch."""
        return (self.capacity, len(self.channels))

    def to_manifest(self) -> dict[str, Any]:
        """The kind, and the section of the manifest that is named after it."""
        sensor: dict[str, Any] = {
            "channels": list(self.sensor_channel_names),
            "unit": self.sensor_unit,
        }
        if self.extrinsics is not None:
            sensor["extrinsics"] = [[float(value) for value in row] for row in self.extrinsics]
        points: dict[str, Any] = {
            "channels": list(self.channels),
            "capacity": self.capacity,
            "overflow": self.overflow,
            "mean": list(self.means),
            "std": list(self.stds),
            "sensor": sensor,
        }
        if self.range is not None:
            lower, upper = ([float(value) for value in corner] for corner in self.range)
            points["range"] = {"lower": lower, "upper": upper}
        return {"kind": "points", "points": points}

    def check(self, where: str) -> None:
        """Raises ConfigError where a field makes no sense; `where` names the modality."""
        check_module(where, "encoder", self.encoder)
        check_positive(where, "max_age_ms", self.max_age_ms)
        check_choice(where, "when_missing", self.when_missing, WHEN_MISSING)
        _check_channels(where, self)
        action = "State how many points the encoder sees; points outside the range do not count."
        check_count(where, "capacity", self.capacity, MOST_POINTS, action)
        check_choice(where, "overflow", self.overflow, ("refuse", "first", "spread"))
        check_choice(where, "sensor_unit", self.sensor_unit, tuple(METRES))
        check_statistics(where, self.mean, self.std, len(self.channels))
        _check_range(where, self.range)
        _check_extrinsics(where, self.extrinsics)


def _check_channels(where: str, points: Points) -> None:
    for what, names in (
        ("channels", points.channels),
        (
            "sensor_channels",
            points.channels if points.sensor_channels is None else points.sensor_channels,
        ),
    ):
        check_words(where, what, names)
        check_count(where, f"how many {what} there are", len(names), MOST_CHANNELS, "Leave some.")
    if tuple(points.channels[:3]) != ("x", "y", "z"):
        raise ConfigError(
            where=where,
            expected="channels that begin with x, y, z",
            got=", ".join(points.channels),
            action="Say in sensor_channels where the sensor has them.",
        )
    lacking = [name for name in points.channels if name not in points.sensor_channel_names]
    if lacking:
        raise ConfigError(
            where=where,
            expected=f"the sensor's channels to hold {', '.join(points.channels)}",
            got=f"{', '.join(points.sensor_channel_names)}, without {', '.join(lacking)}",
            action="Use the same names in channels and sensor_channels.",
        )


def _numbers(value: object, shape: tuple[int, ...]) -> bool:
    """Whether a value is lists of so many numbers that may be metres."""
    if not shape:
        return is_number(value) and abs(float(value)) <= _MOST_METRES  # type: ignore[arg-type]
    if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != shape[0]:
        return False
    return all(_numbers(element, shape[1:]) for element in value)  # type: ignore[attr-defined]


def _check_range(where: str, corners: object) -> None:
    if corners is None:
        return
    if not _numbers(corners, (2, 3)) or not all(a < b for a, b in zip(*corners, strict=True)):  # type: ignore[misc]
        raise ConfigError(
            where=where,
            expected="range as two corners (x, y, z), the lower below the upper",
            got=repr(corners),
            action="For instance ((-54, -54, -5), (54, 54, 3)), in metres.",
        )


def _check_extrinsics(where: str, extrinsics: object) -> None:
    if extrinsics is None:
        return
    turned = _numbers(extrinsics, (3, 4))
    if turned:
        rotation = np.asarray(extrinsics, dtype=np.float64)[:, :3]
        turned = bool(np.abs(rotation @ rotation.T - np.eye(3)).max() <= _STRETCH)
    if not turned:
        raise ConfigError(
            where=where,
            expected="extrinsics [3, 4]: a rotation, then a move in metres",
            got=repr(extrinsics),
            action="Of a [4, 4] matrix from the sensor to the vehicle pass matrix[:3].",
        )
