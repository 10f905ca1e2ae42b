"""What a user says of a modality that is sound: a microphone, a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from plait import ConfigError
from plait_export.checks import check_choice, check_count, check_module, check_positive
from plait_export.describe.common import WHEN_MISSING, WhenMissing
from plait_export.describe.sound_checks import check_features, check_rates, check_resampler
from plait_export.describe.sound_features import Features, Waveform

if TYPE_CHECKING:
    from torch import nn

Shorter = Literal["refuse", "zeros", "repeat", "pad"]
Longer = Literal["refuse", "first", "last"]

SHORTERS = ("refuse", "zeros", "repeat", "pad")
LONGERS = ("refuse", "first", "last")

# What the core takes.
MOST_WINDOW = 10_000_000
MOST_CHANNELS = 4096


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A modality that is a stretch of sound.

    encoder: a module from float32 [batch, bands, frames] (layout "NFT"), [batch, frames, bands]
        ("NTF") or, of a Waveform, [batch, window] to an embedding [batch, ...].
    features: what the encoder sees: Waveform(...), LogMel.whisper(...), Mfcc.kaldi(...), ...
    rate_hz: the rate that the encoder was trained with.
    window, window_s: how much the encoder sees: samples at rate_hz, or seconds. One of the two.
    max_age_ms, when_missing: as in Signal.
    shorter: what becomes of a shorter sound: "refuse"; "zeros" behind it; "repeat" it; "pad": the
        features of what there is, then frames of the features' `pad`.
    longer: and of a longer one: "refuse", its "first" or its "last" part.
    sensor_rate_hz: the rate of raw samples that state none. None: the same as rate_hz.
    sensor_channels: columns of a raw sample. channel: the one that is taken; None: the mean of all.
    resampler_zeros, resampler_rolloff, resampler_beta: the filter by which another rate becomes
        rate_hz: zero crossings on each side of a sinc, its cut-off as a part of the lower Nyquist
        frequency, and the beta of its Kaiser window; torchaudio's "sinc_interp_kaiser".
    """

    encoder: nn.Module
    features: Features
    rate_hz: float = 16000.0
    window: int | None = None
    window_s: float | None = None
    max_age_ms: float
    when_missing: WhenMissing
    shorter: Shorter = "refuse"
    longer: Longer = "refuse"
    sensor_rate_hz: float | None = None
    sensor_channels: int = 1
    channel: int | None = None
    resampler_zeros: int = 32
    resampler_rolloff: float = 0.95
    resampler_beta: float = 12.0

    @property
    def samples(self) -> int:
        """Samples at rate_hz that the encoder sees."""
        if self.window is not None:
            return self.window
        return round(float(self.window_s or 0.0) * float(self.rate_hz))

    @property
    def raw_rate_hz(self) -> float:
        """The rate of raw samples that state none."""
        return float(self.rate_hz if self.sensor_rate_hz is None else self.sensor_rate_hz)

    def input_shape(self) -> tuple[int, ...]:
        """The encoder's input without its batch."""
        if isinstance(self.features, Waveform):
            return (self.samples,)
        frames = self.features.frames or self.features.frames_of(self.samples)
        bands = self.features.bands
        return (bands, frames) if self.features.layout == "NFT" else (frames, bands)

    def to_manifest(self) -> dict[str, Any]:
        """The kind, and the section of the manifest that is named after it."""
        channel = {} if self.channel is None else {"channel": self.channel}
        return {
            "kind": "sound",
            "sound": {
                "sensor": {"rate_hz": self.raw_rate_hz, "channels": self.sensor_channels},
                **channel,
                "rate_hz": float(self.rate_hz),
                "resampler": {
                    "zeros": self.resampler_zeros,
                    "rolloff": float(self.resampler_rolloff),
                    "beta": float(self.resampler_beta),
                },
                "window": self.samples,
                "shorter": self.shorter,
                "longer": self.longer,
                **self.features.to_manifest(float(self.rate_hz)),
            },
        }

    def check(self, where: str) -> None:
        """Raises ConfigError where a field makes no sense; `where` names the modality."""
        check_module(where, "encoder", self.encoder)
        check_positive(where, "max_age_ms", self.max_age_ms)
        check_choice(where, "when_missing", self.when_missing, WHEN_MISSING)
        check_choice(where, "shorter", self.shorter, SHORTERS)
        check_choice(where, "longer", self.longer, LONGERS)
        check_rates(where, self.rate_hz, self.sensor_rate_hz)
        check_resampler(
            where,
            (self.raw_rate_hz, float(self.rate_hz)),
            self.resampler_zeros,
            self.resampler_rolloff,
            self.resampler_beta,
        )
        self._check_window(where)
        self._check_channels(where)
        check_features(where, self.features, float(self.rate_hz), self.samples)
        if self.shorter == "pad" and isinstance(self.features, Waveform):
            raise ConfigError(
                where=where,
                expected="shorter 'pad' with LogMel or Mfcc",
                got="a Waveform",
                action="A waveform is filled up with shorter='zeros'.",
            )

    def _check_window(self, where: str) -> None:
        if (self.window is None) == (self.window_s is None):
            raise ConfigError(
                where=where,
                expected="window in samples or window_s in seconds, one of the two",
                got=f"window={self.window!r}, window_s={self.window_s!r}",
                action="Whisper sees window=480000 samples at 16 kHz: 30 s.",
            )
        if self.window_s is not None:
            check_positive(where, "window_s", self.window_s)
        what = f"window (samples at {self.rate_hz:g} Hz)"
        check_count(where, what, self.samples, MOST_WINDOW, "State how much the encoder sees.")

    def _check_channels(self, where: str) -> None:
        action = "State the columns of a raw sample: 1 for mono, 2 for stereo."
        check_count(where, "sensor_channels", self.sensor_channels, MOST_CHANNELS, action)
        channel = self.channel
        if channel is None:
            return
        whole = isinstance(channel, int) and not isinstance(channel, bool)
        if not whole or not 0 <= channel < self.sensor_channels:
            raise ConfigError(
                where=where,
                expected=f"channel from 0 to {self.sensor_channels - 1}, or None",
                got=repr(channel),
                action="None takes the mean of all channels.",
            )
