"""What an encoder of sound sees: the waveform, log-mel bands or MFCC, with every parameter.

The named constructors are the families in use; each takes what its library's function takes. What
they compute is in docs/sensors.md, and what was proven of each against that library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from plait_export.describe import sound_families as families

Window = Literal[
    "hann", "hann_symmetric", "hamming", "hamming_symmetric", "povey", "rectangular"
]  # fmt: skip
Edges = Literal["snip", "reflect", "zeros", "kaldi"]
Spectrum = Literal["power", "magnitude"]
Scale = Literal["slaney", "htk", "kaldi"]
Norm = Literal["slaney", "none"]
Log = Literal["ln", "log10", "db", "none"]
Reference = Literal["one", "max"]
SoundLayout = Literal["NFT", "NTF"]


@dataclass(frozen=True, kw_only=True)
class Waveform:
    """The samples themselves, [batch, window].

    standardize: each window to zero mean and unit variance, (x - mean) / sqrt(variance + 1e-7), as
        wav2vec 2.0 and its relatives.
    gain: onto samples in -1 to 1; 32768 where training saw int16 values.
    mean, std: the encoder gets (sample - mean) / std.
    """

    standardize: bool = False
    gain: float = 1.0
    mean: float = 0.0
    std: float = 1.0
    family: str = "waveform"

    @property
    def bands(self) -> int:
        """Values a frame: one."""
        return 1

    def to_manifest(self, rate_hz: float) -> dict[str, Any]:
        """The fields of the manifest's section that say what the encoder sees."""
        return {
            "gain": float(self.gain),
            "family": self.family,
            "features": "waveform",
            "standardize": self.standardize,
            "mean": [float(self.mean)],
            "std": [float(self.std)],
        }


@dataclass(frozen=True, kw_only=True)
class MelFeatures:
    """Spectra of overlapping frames, summed in mel bands. Lengths are in samples at `rate_hz`.

    length, step, fft: samples a frame, from frame to frame, and of the transform (even); a frame
        that is shorter than the transform is followed by zeros.
    bins: mel bands.
    window: weights of a frame; "hann" and "hamming" are periodic (librosa, torch), "povey" is
        Kaldi's.
    edges: "snip": only frames that fit; "reflect", "zeros": frames are centred, and the sound is
        mirrored, or followed by zeros, beyond its ends; "kaldi": snip_edges=False.
    drop_last: the last frame is left out (Whisper).
    remove_mean, preemphasis: of each frame, in this order, before the window (Kaldi).
    spectrum: "power" |X|^2, or "magnitude" |X|.
    low_hz, high_hz: edges of the lowest and the highest band; None: half the rate.
    scale: of the bands: "slaney" (librosa), "htk" (torchaudio, librosa htk=True), "kaldi".
    norm: "slaney": each band divided by half its width in Hz.
    log: "ln", "log10", "db" or "none", of max(energy, floor) + offset.
    reference: "max": relative to the largest value (librosa's ref=numpy.max).
    range: no value is further than this below the largest, after the logarithm; 0: any.
    frames: what the encoder sees; None: the frames of the window. Where they are more, the rest is
        filled with `pad`, before mean and std.
    mean, std: one number, or one a band (of MFCC: a coefficient): the encoder gets
        (value - mean) / std.
    gain: onto samples in -1 to 1; 32768 where training saw int16 values.
    layout: "NFT": [batch, bands, frames]; "NTF": [batch, frames, bands].
    family: what people call it.
    """

    length: int
    step: int
    fft: int
    bins: int
    window: Window = "hann"
    edges: Edges = "reflect"
    drop_last: bool = False
    remove_mean: bool = False
    preemphasis: float = 0.0
    spectrum: Spectrum = "power"
    low_hz: float = 0.0
    high_hz: float | None = None
    scale: Scale = "htk"
    norm: Norm = "none"
    log: Log = "ln"
    floor: float = 0.0
    offset: float = 0.0
    reference: Reference = "one"
    range: float = 0.0
    frames: int | None = None
    pad: float = 0.0
    mean: float | Sequence[float] = 0.0
    std: float | Sequence[float] = 1.0
    gain: float = 1.0
    layout: SoundLayout = "NFT"
    family: str = "custom"

    @property
    def bands(self) -> int:
        """Values a frame."""
        return self.bins

    @property
    def means(self) -> tuple[float, ...]:
        return _numbers(self.mean)

    @property
    def stds(self) -> tuple[float, ...]:
        return _numbers(self.std)

    def highest_hz(self, rate_hz: float) -> float:
        """The upper edge of the highest band."""
        return float(rate_hz) / 2.0 if self.high_hz is None else float(self.high_hz)

    def frames_of(self, samples: int) -> int:
        """How many analysis frames so many samples have; 0 where they are too few."""
        if self.edges == "snip":
            count = 1 + (samples - self.length) // self.step if samples >= self.length else 0
        elif self.edges == "kaldi":
            count = (samples + self.step // 2) // self.step
        elif self.edges == "reflect" and samples <= self.fft // 2:
            return 0
        else:
            count = 1 + samples // self.step
        return max(count - 1, 0) if self.drop_last else count

    def to_manifest(self, rate_hz: float) -> dict[str, Any]:
        """The fields of the manifest's section that say what the encoder sees."""
        return {
            "gain": float(self.gain),
            "family": self.family,
            "mel": self._mel(rate_hz),
            "mean": list(self.means),
            "std": list(self.stds),
            "layout": self.layout,
        }

    def _mel(self, rate_hz: float) -> dict[str, Any]:
        frames = {} if self.frames is None else {"frames": self.frames}
        return {
            "length": self.length,
            "step": self.step,
            "fft": self.fft,
            "window": self.window,
            "edges": self.edges,
            "drop_last": self.drop_last,
            "remove_mean": self.remove_mean,
            "preemphasis": float(self.preemphasis),
            "spectrum": self.spectrum,
            "bins": self.bins,
            "low_hz": float(self.low_hz),
            "high_hz": self.highest_hz(rate_hz),
            "scale": self.scale,
            "norm": self.norm,
            "log": {
                "kind": self.log,
                "floor": float(self.floor),
                "offset": float(self.offset),
                "reference": self.reference,
                "range": float(self.range),
            },
            **frames,
            "pad": float(self.pad),
        }


@dataclass(frozen=True, kw_only=True)
class LogMel(MelFeatures):
    """Logarithms of the energy in mel bands; see MelFeatures."""

    def to_manifest(self, rate_hz: float) -> dict[str, Any]:
        """The fields of the manifest's section that say what the encoder sees."""
        return {"features": "log_mel", **super().to_manifest(rate_hz)}

    @classmethod
    def whisper(cls, bins: int = 80, **others: Any) -> LogMel:
        """Whisper's: 80 bands, large-v3 and turbo 128; at 16 kHz, window 480000."""
        return cls(**{**families.whisper(bins), **others})

    @classmethod
    def kaldi(cls, bins: int = 80, **options: Any) -> LogMel:
        """Kaldi's fbank as torchaudio.compliance.kaldi and kaldi_native_fbank compute it, without
        dither: see sound_families.kaldi for the options."""
        return cls(**families.kaldi(bins=bins, **options))

    @classmethod
    def ast(cls, bins: int = 128, frames: int = 1024, **options: Any) -> LogMel:
        """Kaldi's as the Audio Spectrogram Transformer takes it: samples in -1 to 1, a Hann window,
        AudioSet's mean and twice its std; shorter="pad" fills up the frames."""
        return cls(**families.ast(bins=bins, frames=frames, **options))

    @classmethod
    def librosa(cls, bins: int = 128, **options: Any) -> LogMel:
        """librosa.power_to_db(librosa.feature.melspectrogram(...)), of magnitudes amplitude_to_db:
        see sound_families.librosa for the options."""
        return cls(**families.librosa(bins=bins, **options))

    @classmethod
    def torchaudio(cls, bins: int = 128, **options: Any) -> LogMel:
        """torchaudio.transforms.MelSpectrogram, then AmplitudeToDB or a logarithm: see
        sound_families.torchaudio for the options."""
        return cls(**families.torchaudio(bins=bins, **options))


@dataclass(frozen=True, kw_only=True)
class Mfcc(MelFeatures):
    """The orthonormal cosine transform (DCT-II) of log-mel bands; see MelFeatures.

    coefficients: how many are kept, from the lowest.
    lifter: Kaldi's and HTK's: the i-th is multiplied by 1 + lifter / 2 * sin(pi * i / lifter);
        0: none.
    """

    coefficients: int
    lifter: float = 0.0

    @property
    def bands(self) -> int:
        """Values a frame."""
        return self.coefficients

    def to_manifest(self, rate_hz: float) -> dict[str, Any]:
        """The fields of the manifest's section that say what the encoder sees."""
        described = super().to_manifest(rate_hz)
        described["mel"].update(coefficients=self.coefficients, lifter=float(self.lifter))
        return {"features": "mfcc", **described}

    @classmethod
    def kaldi(
        cls, coefficients: int = 13, bins: int = 23, lifter: float = 22.0, **options: Any
    ) -> Mfcc:
        """Kaldi's with use_energy=False and without dither."""
        return cls(coefficients=coefficients, lifter=lifter, **families.kaldi(bins=bins, **options))

    @classmethod
    def librosa(cls, coefficients: int = 20, bins: int = 128, **options: Any) -> Mfcc:
        """librosa.feature.mfcc with lifter=0; librosa's lifter is another than Kaldi's."""
        return cls(coefficients=coefficients, **families.librosa(bins=bins, **options))

    @classmethod
    def torchaudio(cls, coefficients: int = 40, bins: int = 128, **options: Any) -> Mfcc:
        """torchaudio.transforms.MFCC: decibels within top_db=80, unless said otherwise."""
        options.setdefault("top_db", 80.0)
        return cls(coefficients=coefficients, **families.torchaudio(bins=bins, **options))


Features = Waveform | LogMel | Mfcc


def _numbers(values: float | Sequence[float]) -> tuple[float, ...]:
    if isinstance(values, Sequence):
        return tuple(float(value) for value in values)
    return (float(values),)
