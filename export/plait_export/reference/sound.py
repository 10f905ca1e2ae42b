"""The sound front-end once more, in NumPy and SciPy, float64.

Sources: the resampler is J. O. Smith's windowed sinc as torchaudio.functional.resample documents it
for "sinc_interp_kaiser"; spectra as torch.stft, librosa.stft and Kaldi's feature-window document
them; mel scales after Slaney's Auditory Toolbox and the HTK book.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import ConfigError
from plait_export.describe.sound import Sound
from plait_export.describe.sound_features import MelFeatures, Mfcc, Waveform

Array = NDArray[np.float64]

# By how much the core may differ in a band that is far below the loudest: float32's digits.
_LOG_ERROR = {"ln": 1e-4, "log10": 1e-4, "db": 1e-3, "none": 0.0}


def error_of_sound(sound: Sound) -> float:
    """The largest difference, in the encoder's unit, beyond float32's rounding."""
    features = sound.features
    if isinstance(features, Waveform):
        return 0.0
    error = _LOG_ERROR[features.log]
    if isinstance(features, Mfcc):  # a sum over all bands, then the lifter
        error *= features.bins**0.5 * (1.0 + features.lifter / 2.0)
    return error / min(features.stds)


def prepare_sound(
    sound: Sound, values: NDArray[Any], sample_rate_hz: float | None = None
) -> NDArray[np.float32]:
    """One raw sound, [frames] or [frames, channels], as the encoder's input [1, ...], float32."""
    rate = sound.raw_rate_hz if sample_rate_hz is None else float(sample_rate_hz)
    pcm = mixed(values, sound.channel)
    if rate != sound.rate_hz:
        pcm = resample_sound(
            pcm,
            Fraction(sound.rate_hz) / Fraction(rate),
            sound.resampler_zeros,
            sound.resampler_rolloff,
            sound.resampler_beta,
        )
    features = sound.features
    pcm = _windowed(sound, pcm) * features.gain
    if isinstance(features, Waveform):
        if features.standardize:
            pcm = (pcm - pcm.mean()) / np.sqrt(pcm.var() + 1e-7)
        return np.asarray((pcm - features.mean) / features.std, np.float32)[None]
    frames = features.frames or features.frames_of(sound.samples)
    prepared = np.full((features.bands, frames), features.pad, np.float64)
    found = mel_features(features, pcm, sound.rate_hz)
    prepared[:, : found.shape[1]] = found
    prepared = (prepared - np.array(features.means)[:, None]) / np.array(features.stds)[:, None]
    if features.layout == "NTF":
        prepared = prepared.T
    return np.ascontiguousarray(prepared[None], np.float32)


def mixed(values: NDArray[Any], channel: int | None) -> Array:
    """Samples in -1 to 1: of one channel, or the mean of all."""
    scale = 32768.0 if values.dtype == np.int16 else 1.0
    pcm = np.asarray(values, np.float64).reshape(len(values), -1) / scale
    taken: Array = pcm.mean(axis=1) if channel is None else pcm[:, channel]
    return taken


def resample_sound(
    pcm: Array, ratio: Fraction, zeros: int = 32, rolloff: float = 0.95, beta: float = 12.0
) -> Array:
    """y[m] = sum over n of x[n] g(m / ratio - n), with zeros beyond the ends; ceil(n * ratio) of
    them. g is a sinc with its cut-off at `rolloff` of the lower Nyquist frequency, under a Kaiser
    window that ends at its `zeros`-th crossing: g(t) = c sinc(c t) kaiser(c t / zeros)."""
    from scipy.signal import upfirdn

    up, down = ratio.numerator, ratio.denominator
    cutoff = rolloff * min(1.0, up / down)
    # The filter at the common multiple of both rates; its middle at a multiple of `down`.
    middle = -(-int(np.ceil(zeros / cutoff * up)) // down) * down
    position = np.arange(-middle, middle + 1) / up * cutoff
    inside = np.sqrt(np.clip(1.0 - (position / zeros) ** 2, 0.0, None))
    kaiser = np.where(np.abs(position) < zeros, np.i0(beta * inside) / np.i0(beta), 0.0)
    taps = cutoff * np.sinc(position) * kaiser
    begin = middle // down
    count = -(-len(pcm) * up // down)
    filtered: Array = upfirdn(taps, pcm, up, down)[begin : begin + count]
    return filtered


def _windowed(sound: Sound, pcm: Array) -> Array:
    """Exactly the window, or with shorter="pad" perhaps less."""
    if len(pcm) > sound.samples:
        if sound.longer == "refuse":
            raise _refused("of at most", sound.samples, len(pcm))
        return pcm[: sound.samples] if sound.longer == "first" else pcm[-sound.samples :]
    missing = sound.samples - len(pcm)
    if sound.shorter == "pad" and not isinstance(sound.features, Waveform):
        if not sound.features.frames_of(len(pcm)):
            raise _refused("that holds an analysis frame of", sound.features.length, len(pcm))
        return pcm
    if missing == 0:
        return pcm
    if sound.shorter == "refuse":
        raise _refused("of at least", sound.samples, len(pcm))
    if sound.shorter == "zeros":
        return np.pad(pcm, (0, missing))
    return np.resize(pcm, sound.samples)


def _refused(what: str, expected: int, got: int) -> ConfigError:
    return ConfigError(
        where="reference preprocessing",
        expected=f"a sound {what} {expected} samples at the encoder's rate",
        got=str(got),
        action="Cut it, or say in the description what becomes of it.",
    )


def mel_features(mel: MelFeatures, pcm: Array, rate_hz: float) -> Array:
    """[bands or coefficients, frames], before mean and std."""
    from scipy.fft import dct

    spectrum = np.abs(np.fft.rfft(_frames(mel, pcm), mel.fft, axis=1))
    energy = spectrum if mel.spectrum == "magnitude" else spectrum**2
    bands = _logarithm(mel, mel_weights(mel, rate_hz) @ energy.T)
    if not isinstance(mel, Mfcc):
        return bands
    cepstra: Array = dct(bands, type=2, norm="ortho", axis=0)[: mel.coefficients]
    if mel.lifter:
        index = np.arange(mel.coefficients)[:, None]
        cepstra = cepstra * (1.0 + mel.lifter / 2.0 * np.sin(np.pi * index / mel.lifter))
    return cepstra


def _frames(mel: MelFeatures, pcm: Array) -> Array:
    """[frames, length], weighed by the window."""
    count = mel.frames_of(len(pcm))
    first = {
        "snip": 0,
        "kaldi": mel.step // 2 - mel.length // 2,
        "reflect": (mel.fft - mel.length) // 2 - mel.fft // 2,
        "zeros": (mel.fft - mel.length) // 2 - mel.fft // 2,
    }[mel.edges]
    before = max(-first, 0)
    after = max(first + (count - 1) * mel.step + mel.length - len(pcm), 0)
    mode = {"snip": "constant", "zeros": "constant", "reflect": "reflect", "kaldi": "symmetric"}
    padded = np.pad(pcm, (before, after), mode=mode[mel.edges])  # type: ignore[call-overload]
    starts = first + before + np.arange(count) * mel.step
    frames: Array = padded[starts[:, None] + np.arange(mel.length)]
    if mel.remove_mean:
        frames = frames - frames.mean(axis=1, keepdims=True)
    if mel.preemphasis:
        frames = frames - mel.preemphasis * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    return frames * window_weights(mel.window, mel.length)


def window_weights(name: str, length: int) -> Array:
    """The weights of one analysis frame."""
    if name == "rectangular" or length == 1:
        return np.ones(length)
    periodic = name in ("hann", "hamming")
    phase = 2.0 * np.pi * np.arange(length) / (length if periodic else length - 1)
    if name.startswith("hamming"):
        return 0.54 - 0.46 * np.cos(phase)
    hann = 0.5 - 0.5 * np.cos(phase)
    return np.clip(hann, 0.0, None) ** 0.85 if name == "povey" else hann


def mel_weights(mel: MelFeatures, rate_hz: float) -> Array:
    """[bins, fft / 2 + 1]: triangles over the transform's frequencies."""
    low, high = _to_mel(mel.scale, np.array([mel.low_hz, mel.highest_hz(rate_hz)]))
    edges = np.linspace(low, high, mel.bins + 2)
    hertz = _to_hertz(mel.scale, edges)
    frequencies: Array = np.arange(mel.fft // 2 + 1) * np.float64(rate_hz / mel.fft)
    if mel.scale == "kaldi":
        at, corners = _to_mel(mel.scale, frequencies), edges
    else:
        at, corners = frequencies, hertz
    left, centre, right = (corners[i : i + mel.bins, None] for i in range(3))
    rising, falling = (at - left) / (centre - left), (right - at) / (right - centre)
    weights: Array = np.maximum(np.minimum(rising, falling), 0.0)
    if mel.norm == "slaney":
        weights = weights * (2.0 / (hertz[2:] - hertz[:-2]))[:, None]
    return weights


def _to_mel(scale: str, hertz: Array) -> Array:
    if scale != "slaney":
        htk: Array = 2595.0 / np.log(10.0) * np.log1p(hertz / 700.0)
        return htk
    bent = 15.0 + np.log(np.maximum(hertz, 1.0) / 1000.0) * (27.0 / np.log(6.4))
    return np.where(hertz < 1000.0, hertz * 3.0 / 200.0, bent)


def _to_hertz(scale: str, mel: Array) -> Array:
    if scale != "slaney":
        htk: Array = 700.0 * np.expm1(mel * np.log(10.0) / 2595.0)
        return htk
    bent = 1000.0 * np.exp((mel - 15.0) * (np.log(6.4) / 27.0))
    return np.where(mel < 15.0, mel * 200.0 / 3.0, bent)


def _logarithm(mel: MelFeatures, energy: Array) -> Array:
    if mel.log == "none":
        values = energy
    else:
        shifted = np.maximum(energy, mel.floor) + mel.offset
        decibels = 20.0 if mel.spectrum == "magnitude" else 10.0
        scale = {"ln": np.log(10.0), "log10": 1.0, "db": decibels}[mel.log]
        values = scale * np.log10(shifted)
    largest = values.max()
    if mel.reference == "max":
        values, largest = values - largest, 0.0
    return np.maximum(values, largest - mel.range) if mel.range else values
