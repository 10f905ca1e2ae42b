"""What a user says of a model: its modalities, encoders and heads.

A `Deployment` says everything a device must know that PyTorch modules do not say by themselves.

All checks happen when a `Deployment` is made, and name the modality or head they are about, so that
a wrong unit or a forgotten label is found before minutes of exporting. Importing this file does
not import torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plait import ConfigError
from plait_export.checks import (
    check_choice,
    check_count,
    check_module,
    check_name,
    check_positive,
    check_type,
    check_words,
    is_number,
)

if TYPE_CHECKING:
    from torch import nn

WhenMissing = Literal["learned", "mask", "refuse"]
Layout = Literal["NCT", "NTC"]

_BUNDLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RESERVED_MODALITIES = frozenset({"presence"})
_RESERVED_HEADS = frozenset({"prepare", "encode"})

# What the core takes. With ten modalities there are 1023 presence sets to judge and to record.
MOST_MODALITIES = 10
MOST_HEADS = 64
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
        return _per_channel(self.mean, 0.0, len(self.channel_names))

    @property
    def stds(self) -> tuple[float, ...]:
        return _per_channel(self.std, 1.0, len(self.channel_names))

    def input_shape(self) -> tuple[int, int]:
        """The encoder's input without its batch."""
        channels = len(self.channel_names)
        return (channels, self.window) if self.layout == "NCT" else (self.window, channels)

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
        check_choice(where, "when_missing", self.when_missing, ("learned", "mask", "refuse"))
        check_choice(where, "layout", self.layout, ("NCT", "NTC"))
        _check_units(where, self)
        _check_statistics(where, self)


@dataclass(frozen=True, kw_only=True)
class _Head:
    """What all heads share.

    module: its forward takes one embedding a modality, positionally in the order of `modalities`,
        then presence, float32 [batch, modalities] of 0 or 1.
    modalities: the names it rests on. None: all of the deployment, in their order.
    """

    modalities: Sequence[str] | None = None


@dataclass(frozen=True)
class Classification(_Head):
    """A head whose module returns logits [batch, len(labels)]."""

    module: nn.Module
    labels: Sequence[str]
    kind: Literal["classification"] = field(default="classification", init=False)

    @property
    def output(self) -> str:
        return "logits"


@dataclass(frozen=True)
class Regression(_Head):
    """A head whose module returns values [batch, len(labels)], each with its unit."""

    module: nn.Module
    labels: Sequence[str]
    units: Sequence[str]
    kind: Literal["regression"] = field(default="regression", init=False)

    @property
    def output(self) -> str:
        return "value"


@dataclass(frozen=True)
class Embedding(_Head):
    """A head whose module returns an embedding [batch, dimensions]."""

    module: nn.Module
    kind: Literal["embedding"] = field(default="embedding", init=False)

    @property
    def output(self) -> str:
        return "embedding"


Head = Classification | Regression | Embedding


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A whole model: what it senses, and what it answers. Raises ConfigError when made wrongly."""

    name: str
    modalities: Mapping[str, Signal]
    heads: Mapping[str, Head]
    description: str = ""

    def __post_init__(self) -> None:
        where = f"deployment {self.name!r}"
        if not isinstance(self.name, str) or not _BUNDLE_NAME.fullmatch(self.name):
            raise ConfigError(
                where="deployment",
                expected="a name of letters, digits, '.', '_' and '-'",
                got=repr(self.name),
                action="It becomes the bundle's name, for instance 'watch'.",
            )
        for what, named, most in (
            ("modality", self.modalities, MOST_MODALITIES),
            ("head", self.heads, MOST_HEADS),
        ):
            if not isinstance(named, Mapping) or not named:
                raise ConfigError(
                    where=where,
                    expected=f"a dict with at least one {what} by name",
                    got=repr(named),
                    action="A deployment senses something and answers something.",
                )
            check_count(
                where,
                f"how many {what} names there are",
                len(named),
                most,
                "Every set of modalities that may be there is judged: join what is one sensor.",
            )
        for name, signal in self.modalities.items():
            check_name(where, "modality", name, _RESERVED_MODALITIES)
            check_type(where, f"modality {name}", signal, (Signal,))
            signal.check(f"{where}, modality {name}")
        for name, head in self.heads.items():
            check_name(where, "head", name, _RESERVED_HEADS)
            check_type(where, f"head {name}", head, (Classification, Regression, Embedding))
            _check_head(f"{where}, head {name}", head, tuple(self.modalities))
        self._check_all_used(where)

    def head_modalities(self, head: str) -> tuple[str, ...]:
        """The modalities a head rests on, in the order of its graph's inputs."""
        chosen = self.heads[head].modalities
        return tuple(self.modalities) if chosen is None else tuple(chosen)

    def _check_all_used(self, where: str) -> None:
        used = {modality for head in self.heads for modality in self.head_modalities(head)}
        unused = [name for name in self.modalities if name not in used]
        if unused:
            raise ConfigError(
                where=where,
                expected="every modality to be used by a head",
                got=f"no head that uses {', '.join(unused)}",
                action="Name it in a head's modalities, or leave it out of the deployment.",
            )


def encoder_name(modality: str) -> str:
    """The name of a modality's graph."""
    return f"{modality}_encoder"


def head_name(head: str) -> str:
    """The name of a head's graph."""
    return f"{head}_head"


def _per_channel(values: Sequence[float] | None, default: float, count: int) -> tuple[float, ...]:
    return (default,) * count if values is None else tuple(float(value) for value in values)


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


def _check_statistics(where: str, signal: Signal) -> None:
    count = len(signal.channel_names)
    for what, values in (("mean", signal.mean), ("std", signal.std)):
        if values is None:
            continue
        if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != count:
            raise ConfigError(
                where=where,
                expected=f"{what} with one value for each of {count} channels",
                got=repr(values),
                action="Give them in the order of channels.",
            )
        bad = [v for v in values if not is_number(v) or (what == "std" and float(v) <= 0.0)]
        if bad:
            raise ConfigError(
                where=where,
                expected=f"finite {what}" + (" above 0" if what == "std" else ""),
                got=", ".join(map(repr, bad)),
                action="A channel that never changes has no std: leave it out, or give it 1.",
            )


def _check_head(where: str, head: Head, modalities: tuple[str, ...]) -> None:
    check_module(where, "module", head.module)
    if head.modalities is not None:
        check_words(where, "modalities", head.modalities)
        unknown = [name for name in head.modalities if name not in modalities]
        if unknown:
            raise ConfigError(
                where=where,
                expected=f"modalities out of {', '.join(modalities)}",
                got=", ".join(unknown),
                action="Describe it among the deployment's modalities, or correct its name.",
            )
    if isinstance(head, (Classification, Regression)):
        check_words(where, "labels", head.labels)
    if isinstance(head, Regression):
        units = head.units
        if isinstance(units, str) or not isinstance(units, Sequence):
            raise ConfigError(
                where=where,
                expected="units as a list of words",
                got=repr(units),
                action="One a value.",
            )
        if len(units) != len(head.labels) or not all(isinstance(u, str) and u for u in units):
            raise ConfigError(
                where=where,
                expected=f"one unit for each of {len(head.labels)} labels",
                got=repr(list(units)),
                action="Use '1' for a number without a unit.",
            )
