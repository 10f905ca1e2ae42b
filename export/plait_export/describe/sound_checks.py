"""Checks of what a user says of a sound's rates, resampler and features."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, get_args

from plait import ConfigError
from plait_export.checks import check_choice, check_count, check_positive, is_number
from plait_export.describe import sound_features as kinds
from plait_export.describe.sound_features import LogMel, MelFeatures, Mfcc, Waveform

# What the core takes.
MOST_FFT = 65536
MOST_PRIME_FACTOR = 1024
MOST_GAIN = 65536.0
MOST_BINS = 4096
MOST_FRAMES = 10_000_000
MOST_ZEROS = 512
MOST_WEIGHTS = 4_000_000
HIGHEST_RATE_HZ = 1e6


def check_rates(where: str, rate_hz: object, sensor_rate_hz: object) -> None:
    """Whole numbers of Hz. Raises ConfigError."""
    raw = rate_hz if sensor_rate_hz is None else sensor_rate_hz
    for what, rate in (("rate_hz", rate_hz), ("sensor_rate_hz", raw)):
        check_positive(where, what, rate)
        number = float(rate)  # type: ignore[arg-type]
        if number > HIGHEST_RATE_HZ or number != int(number):
            raise ConfigError(
                where=where,
                expected=f"{what} as a whole number of Hz up to {HIGHEST_RATE_HZ:g}",
                got=repr(rate),
                action="State samples a second: 16000, 44100, 48000.",
            )


def check_resampler(
    where: str, rates: tuple[float, float], zeros: object, rolloff: object, beta: object
) -> None:
    """Raises ConfigError where the filter's parameters make no sense; rates: from, to."""
    action = "32 zero crossings let pass what is below 0.95 of the Nyquist frequency."
    check_count(where, "resampler_zeros", zeros, MOST_ZEROS, action)
    _check_from(where, "resampler_rolloff", rolloff, 0.01, 1.0)
    _check_from(where, "resampler_beta", beta, 0.0, 100.0)
    ratio = Fraction(int(rates[1]), int(rates[0]))
    taps = 2.0 * float(zeros) / (float(rolloff) * min(1.0, float(ratio)))  # type: ignore[arg-type]
    if ratio != 1 and ratio.numerator * (taps + 8.0) > MOST_WEIGHTS:
        raise ConfigError(
            where=where,
            expected="rates whose resampler has a table of reasonable size",
            got=f"{rates[0]:g} Hz to {rates[1]:g} Hz: {ratio.numerator} times {taps:.0f} weights",
            action="Choose rates that divide one another better, or fewer resampler_zeros.",
        )


def check_features(where: str, features: object, rate_hz: float, samples: int) -> None:
    """Raises ConfigError where a parameter makes no sense at this rate and window."""
    if not isinstance(features, (Waveform, LogMel, Mfcc)):
        raise ConfigError(
            where=where,
            expected="features as Waveform, LogMel or Mfcc",
            got=type(features).__name__,
            action="For instance LogMel.whisper(), LogMel.kaldi(bins=80), Waveform().",
        )
    check_positive(where, "gain", features.gain)
    _check_from(where, "gain", features.gain, 1e-37, MOST_GAIN)
    if not isinstance(features.family, str) or not features.family.strip():
        raise ConfigError(
            where=where,
            expected="family as a word",
            got=repr(features.family),
            action="It tells people what this is: 'whisper', 'kaldi', 'custom'.",
        )
    if isinstance(features, Waveform):
        _check_switch(where, "standardize", features.standardize)
        _check_statistics(where, features.mean, features.std, 1)
        return
    _check_words(where, features)
    _check_frames(where, features, samples)
    _check_bands(where, features, rate_hz)
    _check_logarithm(where, features)
    if isinstance(features, Mfcc):
        most = features.bins
        action = "There are no more coefficients than bands."
        check_count(where, "coefficients", features.coefficients, most, action)
        _check_from(where, "lifter", features.lifter, 0.0, 1e6)
    _check_statistics(where, features.mean, features.std, features.bands)


def _check_words(where: str, mel: MelFeatures) -> None:
    for what, value, choices in (
        ("window", mel.window, kinds.Window),
        ("edges", mel.edges, kinds.Edges),
        ("spectrum", mel.spectrum, kinds.Spectrum),
        ("scale", mel.scale, kinds.Scale),
        ("norm", mel.norm, kinds.Norm),
        ("log", mel.log, kinds.Log),
        ("reference", mel.reference, kinds.Reference),
        ("layout", mel.layout, kinds.SoundLayout),
    ):
        check_choice(where, f"features' {what}", value, get_args(choices))
    _check_switch(where, "drop_last", mel.drop_last)
    _check_switch(where, "remove_mean", mel.remove_mean)


def _check_frames(where: str, mel: MelFeatures, samples: int) -> None:
    action = "It counts samples at rate_hz."
    check_count(where, "fft", mel.fft, MOST_FFT, action)
    check_count(where, "length", mel.length, mel.fft, "A frame is no longer than the transform.")
    check_count(where, "step", mel.step, MOST_FFT, action)
    if mel.fft % 2 or _largest_prime_factor(mel.fft) > MOST_PRIME_FACTOR:
        raise ConfigError(
            where=where,
            expected=f"an even fft without prime factors above {MOST_PRIME_FACTOR}",
            got=repr(mel.fft),
            action="Train with 400, 512 or another product of small numbers: it is faster, too.",
        )
    count = mel.frames_of(samples)
    if count < 1:
        raise ConfigError(
            where=where,
            expected="a window that holds at least one analysis frame",
            got=f"{samples} samples with edges {mel.edges!r}, length {mel.length}, fft {mel.fft}",
            action="State a longer window, or correct length and step.",
        )
    if mel.frames is None:
        return
    check_count(where, "frames", mel.frames, MOST_FRAMES, "Leave it out: those of the window.")
    if mel.frames < count:
        raise ConfigError(
            where=where,
            expected=f"frames of at least {count}, which the window has",
            got=repr(mel.frames),
            action="State the window that has as many frames as the encoder sees.",
        )


def _largest_prime_factor(number: int) -> int:
    factor, largest = 2, 1
    while factor * factor <= number:
        while number % factor == 0:
            number, largest = number // factor, factor
        factor += 1
    return max(number, largest)


def _check_bands(where: str, mel: MelFeatures, rate_hz: float) -> None:
    check_count(where, "bins", mel.bins, MOST_BINS, "State how many mel bands there are.")
    _check_from(where, "low_hz", mel.low_hz, 0.0, rate_hz / 2.0)
    _check_from(where, "high_hz", mel.highest_hz(rate_hz), 0.0, rate_hz / 2.0)
    if not mel.low_hz < mel.highest_hz(rate_hz):
        raise ConfigError(
            where=where,
            expected="low_hz below high_hz",
            got=f"{mel.low_hz!r} and {mel.highest_hz(rate_hz)!r}",
            action="high_hz None is half the rate.",
        )
    _check_from(where, "preemphasis", mel.preemphasis, 0.0, 1.0)


def _check_logarithm(where: str, mel: MelFeatures) -> None:
    _check_from(where, "floor", mel.floor, 0.0, 1e30)
    _check_from(where, "offset", mel.offset, 0.0, 1e30)
    _check_from(where, "range", mel.range, 0.0, 1e30)
    _check_from(where, "pad", mel.pad, -1e30, 1e30)
    if mel.log != "none" and float(mel.floor) + float(mel.offset) < 1.1754943508222875e-38:
        raise ConfigError(
            where=where,
            expected="floor or offset above 0 with a logarithm",
            got=f"floor {mel.floor!r}, offset {mel.offset!r}",
            action="Silence has no logarithm: state what training added, or the least it allowed.",
        )
    if mel.log == "none" and mel.reference == "max":
        raise ConfigError(
            where=where,
            expected="reference 'one' without a logarithm",
            got="'max'",
            action="Only a logarithm is relative to the largest value.",
        )


def _check_statistics(where: str, mean: object, std: object, bands: int) -> None:
    for what, given in (("mean", mean), ("std", std)):
        values: list[Any] = list(given) if isinstance(given, Sequence) else [given]
        if len(values) not in (1, bands) or not all(is_number(value) for value in values):
            raise ConfigError(
                where=where,
                expected=f"{what} as one number" + (f", or {bands} of them" if bands > 1 else ""),
                got=repr(given),
                action="Bands and coefficients go from the lowest to the highest.",
            )
        if what == "std" and min(float(value) for value in values) <= 0.0:
            raise ConfigError(
                where=where,
                expected="std above 0",
                got=repr(given),
                action="A band that never changes has no std: give it 1.",
            )


def _check_from(where: str, what: str, value: object, least: float, most: float) -> None:
    if not is_number(value) or not least <= float(value) <= most:  # type: ignore[arg-type]
        raise ConfigError(
            where=where,
            expected=f"{what} from {least:g} to {most:g}",
            got=repr(value),
            action="See what its description says of this field.",
        )


def _check_switch(where: str, what: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(
            where=where,
            expected=f"{what} as True or False",
            got=repr(value),
            action="See what its description says of this field.",
        )
