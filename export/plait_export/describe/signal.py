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
    check_type,
    check_words,
    is_number,
)
from plait_export.describe.common import WHEN_MISSING, WhenMissing, check_statistics, per_channel

if TYPE_CHECKING:
    from torch import nn

Layout = Literal["NCT", "NTC"]
Normalization = Literal["fixed", "window", "running"]

# What the core takes.
MOST_CHANNELS = 4096
MOST_WINDOW = 10_000_000
_MOST_RATES = 16
_MOST_REDUCTION = 1024.0
_MOST_CALIBRATED = 64

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
class Calibration:
    """A sensor's own errors, taken out before anything else: matrix @ (scale * (raw - bias)).

    All in the sensor's unit, and in the order of its columns (`-x` as it is measured).

    bias: what each column shows of nothing. None: 0.
    scale: a factor for each column. None: 1.
    matrix: [columns, columns], row by row: misalignment and cross-talk. None: none.
    """

    bias: Sequence[float] | None = None
    scale: Sequence[float] | None = None
    matrix: Sequence[Sequence[float]] | None = None

    def to_manifest(self, columns: int) -> dict[str, Any]:
        """bias, and matrix with the scale in it."""
        scale = per_channel(self.scale, 1.0, columns)
        identity = [[float(i == j) for j in range(columns)] for i in range(columns)]
        matrix = identity if self.matrix is None else self.matrix
        return {
            "bias": list(per_channel(self.bias, 0.0, columns)),
            "matrix": [
                [float(value) * factor for value, factor in zip(row, scale, strict=True)]
                for row in matrix
            ],
        }


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
    rates_hz: rates that a sample may have; what has another than rate_hz is brought to it by linear
        interpolation (numpy.interp). None: rate_hz alone.
    antialias: samples of a higher rate are averaged instead, with weights that fall linearly to 0
        over one period of rate_hz to each side. False: what was trained on numpy.interp, or on
        every n-th row, keeps its aliases.
    calibration: the sensor's bias, scale and misalignment. None: none.
    normalization: "fixed" by mean and std; "window" by the window's own mean and standard deviation
        (of the population), per channel: (value - mean) / (std + epsilon); "running" by averages
        of those that go on from sample to sample: they begin as mean and std, and each sample
        replaces the share `momentum` of them before it is normalised (as BatchNorm's).
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
    rates_hz: Sequence[float] | None = None
    antialias: bool = True
    calibration: Calibration | None = None
    normalization: Normalization = "fixed"
    epsilon: float = 1e-8
    momentum: float = 0.1

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
        slowest = min(self.accepted_rates_hz)
        return 3000.0 / slowest if self.max_gap_ms is None else float(self.max_gap_ms)

    @property
    def accepted_rates_hz(self) -> tuple[float, ...]:
        rates = (self.rate_hz,) if self.rates_hz is None else self.rates_hz
        return tuple(float(rate) for rate in rates)

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
                "sensor": {
                    "channels": list(self.sensor_channel_names),
                    "unit": self.raw_unit,
                    **self._sensor_extras(),
                },
                **self._normalization(),
            },
        }

    def _sensor_extras(self) -> dict[str, Any]:
        """What an old reader need not know where it is not used."""
        extras: dict[str, Any] = {}
        if self.rates_hz is not None:
            extras["rates_hz"] = list(self.accepted_rates_hz)
            extras["antialias"] = self.antialias
        if self.calibration is not None:
            extras["calibration"] = self.calibration.to_manifest(len(self.sensor_channel_names))
        return extras

    def _normalization(self) -> dict[str, Any]:
        if self.normalization == "fixed":
            return {}
        momentum = {"momentum": float(self.momentum)} if self.normalization == "running" else {}
        return {"normalization": self.normalization, "epsilon": float(self.epsilon), **momentum}

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
        _check_rates(where, self)
        _check_normalization(where, self)
        if self.calibration is not None:
            check_type(where, "calibration", self.calibration, (Calibration,))
            _check_calibration(where, self.calibration, len(self.sensor_channel_names))


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


def _check_rates(where: str, signal: Signal) -> None:
    if not isinstance(signal.antialias, bool):
        raise ConfigError(
            where=where,
            expected="antialias as True or False",
            got=repr(signal.antialias),
            action="See what its description says of this field.",
        )
    if signal.rates_hz is None:
        return
    rates = list(signal.rates_hz) if hasattr(signal.rates_hz, "__len__") else []
    most = _MOST_REDUCTION
    if not 1 <= len(rates) <= _MOST_RATES or not all(
        is_number(rate) and 1.0 / most <= float(rate) / signal.rate_hz <= most for rate in rates
    ):
        raise ConfigError(
            where=where,
            expected=f"rates_hz as 1 to {_MOST_RATES} rates, each at most {most:g} times, and at "
            "least as small a part of, rate_hz",
            got=repr(signal.rates_hz),
            action="List the rates that the sensor may be set to.",
        )


def _check_normalization(where: str, signal: Signal) -> None:
    check_choice(where, "normalization", signal.normalization, ("fixed", "window", "running"))
    check_positive(where, "epsilon", signal.epsilon)
    check_positive(where, "momentum", signal.momentum)
    if signal.momentum > 1.0:
        raise ConfigError(
            where=where,
            expected="momentum of at most 1",
            got=repr(signal.momentum),
            action="It is the share of each new sample in the averages.",
        )
    if signal.normalization == "window" and (signal.mean, signal.std) != (None, None):
        raise ConfigError(
            where=where,
            expected="no mean and no std with normalization 'window'",
            got=f"mean {signal.mean!r}, std {signal.std!r}",
            action="The window's own are used: leave them out.",
        )


def _check_calibration(where: str, calibration: Calibration, columns: int) -> None:
    if columns > _MOST_CALIBRATED:
        raise ConfigError(
            where=where,
            expected=f"a calibration of at most {_MOST_CALIBRATED} sensor channels",
            got=str(columns),
            action="Calibrate before, and leave it out here.",
        )
    matrix = calibration.matrix
    rows = list(matrix) if matrix is not None and hasattr(matrix, "__len__") else []
    for what, values in (("bias", calibration.bias), ("scale", calibration.scale)):
        if values is not None:
            _check_numbers(where, f"calibration {what}", values, columns)
    if matrix is not None and len(rows) != columns:
        raise ConfigError(
            where=where,
            expected=f"calibration matrix with {columns} rows",
            got=str(len(rows)),
            action="One row and one column for each of the sensor's channels.",
        )
    for row in rows:
        _check_numbers(where, "calibration matrix's rows", row, columns)


def _check_numbers(where: str, what: str, values: Any, count: int) -> None:
    listed = list(values) if hasattr(values, "__len__") and not isinstance(values, str) else []
    if len(listed) != count or not all(is_number(value) for value in listed):
        raise ConfigError(
            where=where,
            expected=f"{what} as {count} finite numbers",
            got=repr(values),
            action="One for each of the sensor's channels, in its order.",
        )
