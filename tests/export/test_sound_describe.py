"""What may be said of a sound: what makes no sense is refused, what follows is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import plait
from plait_export import LogMel, Mfcc, Sound, Waveform
from tests.cases.sound_bundle import SoundEncoder

SAID: dict[str, Any] = {
    "encoder": SoundEncoder(40, 4),
    "features": LogMel.whisper(40),
    "window": 8000,
    "max_age_ms": 100.0,
    "when_missing": "mask",
}


def mel(**changes: Any) -> LogMel:
    return LogMel(**{"length": 400, "step": 160, "fft": 512, "bins": 40, "floor": 1e-9, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoder": None}, "torch.nn.Module"),
        ({"features": "whisper"}, "Waveform, LogMel or Mfcc"),
        ({"rate_hz": 0}, "rate_hz as a finite number above 0"),
        ({"rate_hz": 16000.5}, "rate_hz as a whole number of Hz"),
        ({"sensor_rate_hz": -1}, "sensor_rate_hz as a finite number above 0"),
        ({"sensor_rate_hz": 2e6}, "sensor_rate_hz as a whole number of Hz up to 1e+06"),
        ({"rate_hz": 999983, "sensor_rate_hz": 999979, "window": 10**6}, "table of reasonable"),
        ({"window": None}, "one of the two"),
        ({"window_s": 1.0}, "one of the two"),
        ({"window": 0}, "window (samples at 16000 Hz)"),
        ({"window": None, "window_s": float("nan")}, "window_s as a finite"),
        ({"window": 100}, "at least one analysis frame"),
        ({"shorter": "loop"}, "shorter as one of"),
        ({"longer": "middle"}, "longer as one of"),
        ({"shorter": "pad", "features": Waveform()}, "shorter 'pad' with LogMel"),
        ({"when_missing": "guess"}, "when_missing as one of"),
        ({"sensor_channels": 0}, "sensor_channels, a whole number"),
        ({"sensor_channels": 2, "channel": 2}, "channel from 0 to 1"),
        ({"channel": True}, "channel from 0 to 0"),
        ({"resampler_zeros": 0}, "resampler_zeros, a whole number"),
        ({"resampler_rolloff": 1.5}, "resampler_rolloff from 0.01 to 1"),
        ({"resampler_beta": -1}, "resampler_beta from 0 to 100"),
        ({"features": Waveform(standardize=1)}, "standardize as True or False"),  # type: ignore[arg-type]
        ({"features": Waveform(std=0.0)}, "std above 0"),
        ({"features": Waveform(gain=0.0)}, "gain as a finite number above 0"),
        ({"features": Waveform(family="")}, "family as a word"),
        ({"features": mel(fft=511)}, "an even fft"),
        ({"features": mel(fft=4106)}, "without prime factors above 1024"),
        ({"features": mel(gain=1e6)}, "gain from"),
        ({"features": mel(length=513)}, "length, a whole number from 1 to 512"),
        ({"features": mel(step=0)}, "step, a whole number"),
        ({"features": mel(bins=0)}, "bins, a whole number"),
        ({"features": mel(high_hz=8000.5)}, "high_hz from 0 to 8000"),
        ({"features": mel(low_hz=5000.0, high_hz=4000.0)}, "low_hz below high_hz"),
        ({"features": mel(preemphasis=1.5)}, "preemphasis from 0 to 1"),
        ({"features": mel(floor=0.0)}, "floor or offset above 0"),
        ({"features": mel(range=-1.0)}, "range from 0"),
        ({"features": mel(log="none", reference="max")}, "reference 'one' without"),
        ({"features": mel(frames=50)}, "frames of at least 51"),
        ({"features": mel(window="blackman")}, "features' window as one of"),
        ({"features": mel(edges="wrap")}, "features' edges as one of"),
        ({"features": mel(scale="mel")}, "features' scale as one of"),
        ({"features": mel(norm="area")}, "features' norm as one of"),
        ({"features": mel(log="log2")}, "features' log as one of"),
        ({"features": mel(spectrum="phase")}, "features' spectrum as one of"),
        ({"features": mel(layout="NCT")}, "features' layout as one of"),
        ({"features": mel(drop_last=0)}, "drop_last as True or False"),
        ({"features": mel(mean=(0.0, 1.0))}, "mean as one number, or 40 of them"),
        ({"features": mel(std=(1.0,) * 39 + (0.0,))}, "std above 0"),
        ({"features": Mfcc.kaldi(coefficients=24)}, "coefficients, a whole number from 1 to 23"),
        ({"features": Mfcc.kaldi(lifter=-1.0)}, "lifter from 0"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    Sound(**SAID).check("microphone")
    with pytest.raises(plait.ConfigError) as refusal:
        Sound(**{**SAID, **changes}).check("microphone")
    assert words in str(refusal.value) and refusal.value.where == "microphone"


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (lambda: LogMel.librosa(power=1.5), "power 1.0"),
        (lambda: LogMel.librosa(pad_mode="edge"), "pad_mode 'constant' or 'reflect'"),
        (lambda: LogMel.torchaudio(center=False, length=200), "length equal to fft"),
    ],
)
def test_what_a_family_cannot_do_is_refused(family: Any, words: str) -> None:
    with pytest.raises(plait.ConfigError, match="features of family") as refusal:
        family()
    assert words in str(refusal.value)


def test_the_encoders_input_follows_from_window_and_features() -> None:
    for features, shape in (
        (LogMel.whisper(), (80, 3000)),
        (LogMel.ast(frames=3000), (3000, 128)),
        (LogMel.kaldi(80), (2998, 80)),
        (LogMel.kaldi(80, snip_edges=False), (3000, 80)),
        (Mfcc.librosa(), (20, 938)),
        (Waveform(), (480000,)),
    ):
        described = Sound(**{**SAID, "features": features, "window": None, "window_s": 30.0})
        described.check("microphone")
        assert described.input_shape() == shape


def test_the_number_of_frames_is_torchs_and_kaldis(generator: np.random.Generator) -> None:
    for _ in range(30):
        samples, step = int(generator.integers(100, 900)), int(generator.integers(1, 90))
        length = int(generator.integers(3, 80))
        whole = mel(length=length, step=step, fft=80)
        stft = torch.stft(
            torch.zeros(samples), 80, step, window=torch.ones(80), return_complex=True
        )
        assert whole.frames_of(samples) == stft.shape[1]
        assert replace(whole, edges="zeros", drop_last=True).frames_of(samples) == stft.shape[1] - 1
        fit = len(range(0, samples - length + 1, step))
        assert replace(whole, edges="snip").frames_of(samples) == fit
        # Kaldi: as many as steps, rounded.
        kept = replace(whole, edges="kaldi", step=2 * (step // 2) + 2)
        nearest = int(samples / kept.step + 0.5)
        assert kept.frames_of(samples) == nearest


def test_kaldis_lengths_follow_from_the_rate() -> None:
    features = LogMel.kaldi(40, rate_hz=11025)
    assert (features.length, features.step, features.fft) == (275, 110, 512)
    assert Mfcc.kaldi(rate_hz=8000).fft == 256
