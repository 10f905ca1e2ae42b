"""What a user says of a modality that is a multi-channel signal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

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

Layout = Literal["NCT", "NTC"]

# What the core takes.
MOST_CHANNELS = 4096
MOST_WINDOW = 10_000_000

# Units that mean the same physical quantity: each name with what one of it is in the first's unit.
QUANTITIES: tuple[Mapping[str, float], ...] = (
    {"m/s^2": 1.0, "g": 9.80665},
    {"rad/s": 1.0, "deg/s": math.pi / 180.0},
    {"T": 1.0, "uT": 1e-6},
    {"V": 1.0, "mV": 1e-3},
)


def unit_factor(sensor_unit: str, unit: str) -> float | None:
    """What a value in `sensor_unit` is multiplied with to be in `unit`; None where it cannot be."""
    if sensor_unit == unit:
        return 1.0
    for quantity in QUANTITIES:
        if sensor_unit in quantity and unit in quantity:
            return quantity[sensor_unit] / quantity[unit]
    return None


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A modality that is a multi-channel signal sampled at a nominal rate.

    encoder: a module from float32 [batch, channels, time] (layout "NCT") or [batch, time, channels]
        ("NTC") to an embedding [batch, ...].
    channels: their names in the order the encoder was trained with, or how many there are
        (three are then called x, y, z).
    rate_hz, window: the nominal rate and the number of samples the encoder sees.
    unit: what the encoder was trained in; `m/s^2`, `g`, `rad/s`, `deg/s`, `T`, `uT`, `V`, `mV` are
        converted from the sensor's, any other text has to be the same on both sides.
    max_age_ms: past this age a sample counts as absent.
    when_missing: "learned" (the head puts a learned token in its place), "mask" (its attention
        leaves it out) or "refuse" (no answer without it).
    mean, std: per channel in `unit`; the encoder gets (value - mean) / std. None: 0 and 1.
    rate_tolerance: accepted relative deviation of a stated or measured rate.
    max_gap_ms: a larger hole between two time stamps is refused. None: three nominal periods.
    sensor_channels: the columns of a raw sample; `-x` where the sensor's axis points the other way.
        None: the same as `channels`.
    sensor_unit: the unit of raw samples that state none. None: the same as `unit`.
    """

    encoder: nn.Module
    channels: int | Sequence[str]
    rate_hz: float
    window: int
    unit: str
    max_age_ms: float
    when_missing: WhenMissing
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    layout: Layout = "NCT"
    rate_tolerance: float = 0.2
    max_gap_ms: float | None = None
    sensor_channels: Sequence[str] | None = None
    sensor_unit: str | None = None

    @property
    def channel_names(self) -> tuple[str, ...]:
        if isinstance(self.channels, int):
            axes = ("x", "y", "z")
            return axes if self.channels == 3 else tuple(f"c{i}" for i in range(self.channels))
        return tuple(self.channels)

    @property
    def sensor_channel_names(self) -> tuple[str, ...]:
        if self.sensor_channels is None:
            return self.channel_names
        return tuple(self.sensor_channels)

    @property
    def raw_unit(self) -> str:
        return self.unit if self.sensor_unit is None else self.sensor_unit

    @property
    def largest_gap_ms(self) -> float:
        return 3000.0 / self.rate_hz if self.max_gap_ms is None else float(self.max_gap_ms)

    @property
    def means(self) -> tuple[float, ...]:
        return per_channel(self.mean, 0.0, len(self.channel_names))

    @property
    def stds(self) -> tuple[float, ...]:
        return per_channel(self.std, 1.0, len(self.channel_names))

    def input_shape(self) -> tuple[int, int]:
        """The encoder's input without its batch."""
        channels = len(self.channel_names)
        return (channels, self.window) if self.layout == "NCT" else (self.window, channels)

    def to_manifest(self) -> dict[str, Any]:
        """The kind, and the section of the manifest that is named after it."""
        return {
            "kind": "signal",
            "signal": {
                "channels": list(self.channel_names),
                "unit": self.unit,
                "rate_hz": float(self.rate_hz),
                "rate_tolerance": float(self.rate_tolerance),
                "window": self.window,
                "max_gap_ms": self.largest_gap_ms,
                "layout": self.layout,
                "mean": list(self.means),
                "std": list(self.stds),
                "sensor": {"channels": list(self.sensor_channel_names), "unit": self.raw_unit},
            },
        }

    def check(self, where: str) -> None:
        """Raises ConfigError where a field makes no sense; `where` names the modality."""
        check_module(where, "encoder", self.encoder)
        _check_channels(where, self)
        check_positive(where, "rate_hz", self.rate_hz)
        check_positive(where, "max_age_ms", self.max_age_ms)
        if self.max_gap_ms is not None:
            check_positive(where, "max_gap_ms", self.max_gap_ms)
        if not is_number(self.rate_tolerance) or not 0.0 <= self.rate_tolerance < 1.0:
            raise ConfigError(
                where=where,
                expected="rate_tolerance from 0 to below 1",
                got=repr(self.rate_tolerance),
                action="0.2 accepts a rate that is up to 20 % off.",
            )
        action = "State how many samples the encoder sees, not seconds."
        check_count(where, "window", self.window, MOST_WINDOW, action)
        check_choice(where, "when_missing", self.when_missing, WHEN_MISSING)
        check_choice(where, "layout", self.layout, ("NCT", "NTC"))
        _check_units(where, self)
        check_statistics(where, self.mean, self.std, len(self.channel_names))


def _check_channels(where: str, signal: Signal) -> None:
    if isinstance(signal.channels, int):
        action = "State the channels the encoder was trained with."
        check_count(where, "channels", signal.channels, MOST_CHANNELS, action)
    else:
        check_words(where, "channels", signal.channels)
        negative = [name for name in signal.channels if name.startswith("-")]
        if negative:
            raise ConfigError(
                where=where,
                expected="channels without a sign",
                got=", ".join(negative),
                action="Say in sensor_channels which axis points the other way.",
            )
    if signal.sensor_channels is not None:
        check_words(where, "sensor_channels", signal.sensor_channels)
    axes = [name.removeprefix("-") for name in signal.sensor_channel_names]
    check_words(where, "sensor_channels (without their sign)", axes)
    lacking = [name for name in signal.channel_names if name not in axes]
    if lacking:
        raise ConfigError(
            where=where,
            expected=f"the sensor's channels to hold {', '.join(signal.channel_names)}",
            got=f"{', '.join(signal.sensor_channel_names)}, without {', '.join(lacking)}",
            action="Use the same names in channels and sensor_channels.",
        )


def _check_units(where: str, signal: Signal) -> None:
    for what, unit in (("unit", signal.unit), ("sensor_unit", signal.raw_unit)):
        if not isinstance(unit, str) or not unit.strip():
            raise ConfigError(
                where=where,
                expected=f"{what} as text",
                got=repr(unit),
                action="For instance 'm/s^2', 'rad/s', or '1' for a number without a unit.",
            )
    if unit_factor(signal.raw_unit, signal.unit) is None:
        raise ConfigError(
            where=where,
            expected=f"a sensor_unit that can be converted to {signal.unit!r}",
            got=repr(signal.raw_unit),
            action="Convertible are " + "; ".join(", ".join(q) for q in QUANTITIES) + ".",
        )
