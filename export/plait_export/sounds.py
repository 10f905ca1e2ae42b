"""Checks sounds given as samples: element type, channels, and what the window does with them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from plait import ConfigError
from plait_export.describe import Sound, Waveform


def check_sound(sound: Sound, values: object, where: str) -> None:
    """An array at the sensor's rate with its channels, long enough. Raises ConfigError."""
    if not isinstance(values, np.ndarray) or values.dtype.name not in ("int16", "float32"):
        got = values.dtype.name if isinstance(values, np.ndarray) else type(values).__name__
        raise ConfigError(
            where=where,
            expected="a NumPy array of int16, or of float32 in -1 to 1",
            got=got,
            action="soundfile.read(..., dtype='float32') gives one.",
        )
    channels = sound.sensor_channels
    fits = values.ndim == 2 and values.shape[1] == channels
    if not fits and not (values.ndim == 1 and channels == 1):
        raise ConfigError(
            where=where,
            expected=f"a sound of shape [frames, {channels}]" + " or [frames]" * (channels == 1),
            got=f"shape {list(values.shape)}",
            action="Rows are time, columns are the sensor's channels.",
        )
    if not np.isfinite(values).all():
        raise ConfigError(
            where=where,
            expected="finite values",
            got=f"{int((~np.isfinite(values)).sum())} that are NaN or infinite",
            action="Leave broken samples out: the core refuses them too.",
        )
    _check_length(sound, len(values), where)


def _check_length(sound: Sound, frames: int, where: str) -> None:
    ratio = Fraction(float(sound.rate_hz)) / Fraction(sound.raw_rate_hz)
    samples = -(-frames * ratio.numerator // ratio.denominator)
    least, most = 1, samples
    if sound.shorter == "refuse":
        least = sound.samples
    elif sound.shorter == "pad" and not isinstance(sound.features, Waveform):
        while not sound.features.frames_of(least):
            least += 1
    if sound.longer == "refuse":
        most = sound.samples
    if least <= samples <= most:
        return
    raise ConfigError(
        where=where,
        expected=f"{'at least' if samples < least else 'at most'} "
        f"{least if samples < least else most} samples at {sound.rate_hz:g} Hz",
        got=f"{samples}, from {frames} at {sound.raw_rate_hz:g} Hz",
        action="Cut recordings into windows, or say in shorter and longer what becomes of them.",
    )
