"""The parameters of the families of sound features in use, as fields of MelFeatures.

Every function takes what its library's function takes, under the library's defaults where the
names are alike, and gives the fields that LogMel and Mfcc share.
"""

from __future__ import annotations

from typing import Any

from plait import ConfigError

# float32's epsilon: Kaldi's and torchaudio's floor of an energy.
_KALDI_FLOOR = 1.1920928955078125e-07
_KALDI_WINDOWS = {
    "povey": "povey",
    "hanning": "hann_symmetric",
    "hamming": "hamming_symmetric",
    "rectangular": "rectangular",
}


def whisper(bins: int) -> dict[str, Any]:
    """transformers.WhisperFeatureExtractor, openai-whisper's log_mel_spectrogram."""
    return {
        "length": 400,
        "step": 160,
        "fft": 400,
        "bins": bins,
        "edges": "reflect",
        "drop_last": True,
        "high_hz": 8000.0,
        "scale": "slaney",
        "norm": "slaney",
        "log": "log10",
        "floor": 1e-10,
        "range": 8.0,
        "mean": -4.0,
        "std": 4.0,
        "family": "whisper",
    }


def kaldi(
    *,
    bins: int,
    rate_hz: float = 16000.0,
    length_ms: float = 25.0,
    step_ms: float = 10.0,
    window: str = "povey",
    snip_edges: bool = True,
    low_hz: float = 20.0,
    high_hz: float | None = None,
    remove_mean: bool = True,
    preemphasis: float = 0.97,
    power: bool = True,
    gain: float = 32768.0,
    **others: Any,
) -> dict[str, Any]:
    """Kaldi's fbank.

    window: Kaldi's names: povey, hanning, hamming, rectangular. gain: 32768 where training read
    int16 values, as Kaldi does; 1 where it read samples in -1 to 1.
    """
    length, step = int(rate_hz * 0.001 * length_ms), int(rate_hz * 0.001 * step_ms)
    return {
        "length": length,
        "step": step,
        "fft": 1 << max(length - 1, 1).bit_length(),
        "bins": bins,
        "window": _KALDI_WINDOWS.get(window, window),
        "edges": "snip" if snip_edges else "kaldi",
        "remove_mean": remove_mean,
        "preemphasis": preemphasis,
        "spectrum": "power" if power else "magnitude",
        "low_hz": low_hz,
        "high_hz": high_hz,
        "scale": "kaldi",
        "floor": _KALDI_FLOOR,
        "gain": gain,
        "layout": "NTF",
        "family": "kaldi",
        **others,
    }


def ast(*, bins: int, frames: int, **others: Any) -> dict[str, Any]:
    """transformers.ASTFeatureExtractor."""
    own = {"mean": -4.2677393, "std": 2 * 4.5689974, "gain": 1.0, "window": "hanning"}
    return kaldi(bins=bins, frames=frames, **{**own, "family": "ast", **others})


def librosa(
    *,
    bins: int,
    fft: int = 2048,
    step: int = 512,
    length: int | None = None,
    window: str = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    low_hz: float = 0.0,
    high_hz: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
    reference: str = "one",
    floor: float | None = None,
    top_db: float | None = 80.0,
    **others: Any,
) -> dict[str, Any]:
    """librosa.feature.melspectrogram and power_to_db, or of power=1.0 amplitude_to_db.

    floor: their amin; None: 1e-10, of magnitudes 1e-5.
    """
    _check_length("librosa", length, fft, center)
    magnitude = _is_magnitude("librosa", power)
    least = 1e-5 if magnitude else 1e-10
    return {
        "length": fft if length is None else length,
        "step": step,
        "fft": fft,
        "bins": bins,
        "window": window,
        "edges": _edges("librosa", center, pad_mode),
        "spectrum": "magnitude" if magnitude else "power",
        "low_hz": low_hz,
        "high_hz": high_hz,
        "scale": "htk" if htk else "slaney",
        "norm": "none" if norm is None else norm,
        "log": "db",
        "floor": least if floor is None else floor,
        "reference": reference,
        "range": 0.0 if top_db is None else top_db,
        "family": "librosa",
        **others,
    }


def torchaudio(
    *,
    bins: int,
    fft: int = 400,
    length: int | None = None,
    step: int | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    power: float = 2.0,
    low_hz: float = 0.0,
    high_hz: float | None = None,
    scale: str = "htk",
    norm: str | None = None,
    log: str = "db",
    floor: float | None = None,
    offset: float = 0.0,
    top_db: float | None = None,
    **others: Any,
) -> dict[str, Any]:
    """torchaudio.transforms.MelSpectrogram and AmplitudeToDB.

    log, floor, offset: for code that takes another logarithm: torch.log(mel + 1e-6) is log="ln",
    floor=0.0, offset=1e-6. floor None: AmplitudeToDB's 1e-10.
    """
    _check_length("torchaudio", length, fft, center)
    magnitude = _is_magnitude("torchaudio", power)
    frame = fft if length is None else length
    # AmplitudeToDB takes the same amin of magnitudes as of powers.
    return {
        "length": frame,
        "step": frame // 2 if step is None else step,
        "fft": fft,
        "bins": bins,
        "edges": _edges("torchaudio", center, pad_mode),
        "spectrum": "magnitude" if magnitude else "power",
        "low_hz": low_hz,
        "high_hz": high_hz,
        "scale": scale,
        "norm": "none" if norm is None else norm,
        "log": log,
        "floor": 1e-10 if floor is None else floor,
        "offset": offset,
        "range": 0.0 if top_db is None else top_db,
        "family": "torchaudio",
        **others,
    }


def _edges(family: str, center: bool, pad_mode: str) -> str:
    if not center:
        return "snip"
    if pad_mode not in ("constant", "reflect"):
        raise ConfigError(
            where=f"features of family {family}",
            expected="pad_mode 'constant' or 'reflect'",
            got=repr(pad_mode),
            action="Train with one of these, or export the padded features as another sensor.",
        )
    return "zeros" if pad_mode == "constant" else "reflect"


def _is_magnitude(family: str, power: float) -> bool:
    if power not in (1.0, 2.0):
        raise ConfigError(
            where=f"features of family {family}",
            expected="power 1.0 (magnitudes) or 2.0",
            got=repr(power),
            action="No other power of the spectrum is computed on the device.",
        )
    return power == 1.0


def _check_length(family: str, length: int | None, fft: int, center: bool) -> None:
    # Without centring the library still lets a shorter window sit in the middle of fft samples.
    if not center and length is not None and length != fft:
        raise ConfigError(
            where=f"features of family {family}",
            expected="length equal to fft where center is False",
            got=f"length {length}, fft {fft}",
            action="Centre the frames, or let them be as long as the transform.",
        )
