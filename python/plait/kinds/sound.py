"""Sounds: PCM of a microphone or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.kinds.common import numbers

_LOGARITHMS = {"ln": "natural log", "log10": "log10", "db": "decibels", "none": "no log"}
_LONGEST_LIST = 4


def lines(sound: Mapping[str, Any]) -> list[str]:
    """What a sound is, in lines for people."""
    sensor, rate, window = sound["sensor"], sound["rate_hz"], sound["window"]
    channels = sensor["channels"]
    taken = f"channel {sound['channel']}" if "channel" in sound else "the mean of all"
    microphone = f"sensor gives {channels} channels at {sensor['rate_hz']:g} Hz, {taken} is taken"
    if channels == 1:
        microphone = f"sensor gives one channel at {sensor['rate_hz']:g} Hz"
    said = [
        f"{_features(sound)}, family {sound['family']}",
        f"window {window} samples at {rate:g} Hz, {window / rate:g} s; "
        f"shorter: {sound['shorter']}, longer: {sound['longer']}",
        microphone,
    ]
    if sensor["rate_hz"] != rate:
        resampler = sound["resampler"]
        said.append(
            f"resampled by a sinc of {resampler['zeros']} zero crossings, "
            f"roll-off {resampler['rolloff']:g}, Kaiser beta {resampler['beta']:g}"
        )
    if "mel" in sound:
        said += _mel_lines(sound["mel"])
    if sound["gain"] != 1.0:
        said.append(f"gain {sound['gain']:g}")
    if sound.get("standardize"):
        said.append("each window to zero mean and unit variance")
    return [*said, f"mean {_shortened(sound['mean'])}, std {_shortened(sound['std'])}"]


def wrong_with(sound: Mapping[str, Any], sample: NDArray[Any]) -> str:
    """What is wrong with a golden sound; "" where nothing is."""
    channels = sound["sensor"]["channels"]
    if sample.dtype not in (np.int16, np.float32):
        return f"expected int16 or float32, got {sample.dtype}"
    fits = sample.ndim == 2 and sample.shape[1] == channels
    if not fits and not (sample.ndim == 1 and channels == 1):
        one = " or [frames]" if channels == 1 else ""
        return f"expected shape [frames, {channels}]{one}, got {list(sample.shape)}"
    if not np.isfinite(sample).all():
        return "holds values that are not finite"
    return ""


def sample_of(array: NDArray[Any]) -> NDArray[Any]:
    """The sound itself, at the rate that the bundle declares."""
    return array


def channels(sound: Mapping[str, Any]) -> tuple[Sequence[str], bool, str]:
    """Names of the bands where each has its own mean and std, else of all as one; whether they
    come last; and what else may differ."""
    otherwise = (
        "mel scale or bands, analysis window, length, step or edges, logarithm, pre-emphasis, "
        "resampling, channel, what is cut off, or another sample"
    )
    count = max(len(sound["mean"]), len(sound["std"]))
    if count == 1:
        return ("features",), False, otherwise
    return tuple(f"band {band}" for band in range(count)), sound["layout"] == "NTF", otherwise


def _features(sound: Mapping[str, Any]) -> str:
    if sound["features"] == "waveform":
        return "waveform"
    mel = sound["mel"]
    if sound["features"] == "mfcc":
        what = f"{mel['coefficients']} MFCC of {mel['bins']} mel bands"
    else:
        what = f"log-mel of {mel['bins']} bands"
    frames = f" x {mel['frames']} frames" if "frames" in mel else ""
    return f"{what}{frames}, {sound['layout']}"


def _mel_lines(mel: Mapping[str, Any]) -> list[str]:
    log = mel["log"]
    frame = f"frames of {mel['length']} every {mel['step']}, {mel['window']}, fft {mel['fft']}"
    extras = [
        f"edges {mel['edges']}",
        *(["without the last"] if mel["drop_last"] else []),
        *(["mean removed"] if mel["remove_mean"] else []),
        *([f"pre-emphasis {mel['preemphasis']:g}"] if mel["preemphasis"] else []),
    ]
    bands = (
        f"{mel['spectrum']}, {mel['scale']} scale {mel['low_hz']:g} to {mel['high_hz']:g} Hz, "
        f"norm {mel['norm']}"
    )
    logarithm = f"{_LOGARITHMS[log['kind']]}, floor {log['floor']:g}"
    logarithm += f", offset {log['offset']:g}" if log["offset"] else ""
    logarithm += ", relative to the largest" if log["reference"] == "max" else ""
    logarithm += f", range {log['range']:g}" if log["range"] else ""
    return [f"{frame}, {', '.join(extras)}", bands, logarithm]


def _shortened(values: Sequence[float]) -> str:
    if len(values) <= _LONGEST_LIST:
        return numbers(values)
    return f"{numbers(values[:2])[:-1]}, ...] of {len(values)}"
