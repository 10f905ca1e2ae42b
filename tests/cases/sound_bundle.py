"""A small real bundle with two microphones and a gyroscope, exported from random torch modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from plait_export import (
    Classification,
    Deployment,
    ExportReport,
    LogMel,
    Mfcc,
    Signal,
    Sound,
    Waveform,
)
from tests.cases.classifier import export_classifier
from tests.cases.tiny_bundle import Encoder, Head

LABELS = ("speech", "music", "nothing")
Sample = dict[str, NDArray[Any]]


class SoundEncoder(nn.Module):
    """[batch, bands, frames] (or [batch, frames, bands], or [batch, window]) -> [batch, size]."""

    def __init__(self, bands: int, size: int, *, frames_first: bool = False) -> None:
        super().__init__()
        self.frames_first = frames_first
        self.convolution = nn.Conv1d(bands, 11, kernel_size=5, stride=3)
        self.projection = nn.Linear(11, size)

    def forward(self, sample: Tensor) -> Tensor:
        if sample.dim() == 2:
            sample = sample[:, None]
        if self.frames_first:
            sample = sample.transpose(1, 2)
        features = torch.relu(self.convolution(sample)).mean(dim=2)
        projected: Tensor = self.projection(features)
        return projected


def sound_deployment(seed: int) -> Deployment:
    """Log-mel of a stereo microphone at another rate, MFCC of a telephone, a waveform, a signal."""
    torch.manual_seed(seed)
    return Deployment(
        name="microphone",
        description="Random weights; for tests.",
        modalities={
            "room": Sound(
                encoder=SoundEncoder(40, 9),
                features=LogMel.whisper(40),
                window=6400,
                shorter="zeros",
                longer="last",
                sensor_rate_hz=44100,
                sensor_channels=2,
                max_age_ms=500.0,
                when_missing="learned",
            ),
            "phone": Sound(
                encoder=SoundEncoder(13, 5, frames_first=True),
                features=Mfcc.kaldi(rate_hz=8000, frames=30, mean=-1.5, std=20.0),
                rate_hz=8000,
                window_s=0.315,
                shorter="pad",
                longer="first",
                max_age_ms=500.0,
                when_missing="learned",
            ),
            "voice": Sound(
                encoder=SoundEncoder(1, 4),
                features=Waveform(standardize=True),
                window=1601,
                shorter="repeat",
                longer="first",
                sensor_channels=3,
                channel=1,
                max_age_ms=500.0,
                when_missing="mask",
            ),
            "gyroscope": Signal(
                encoder=Encoder(3, 7),
                channels=3,
                unit="rad/s",
                rate_hz=50.0,
                window=29,
                sensor_unit="deg/s",
                max_age_ms=300.0,
                when_missing="learned",
            ),
        },
        heads={"scene": Classification(Head((9, 5, 4, 7), len(LABELS)), labels=LABELS)},
    )


def raw_samples(generator: np.random.Generator) -> Sample:
    """Sounds of another length each time, waves with noise, one of them int16; and a window."""
    return {
        "room": _waves(generator, int(generator.integers(16_500, 30_000)), 2, 44100.0),
        "phone": np.rint(
            32767.0 * _waves(generator, int(generator.integers(900, 2_400)), 1, 8000.0)[:, 0]
        ).astype(np.int16),
        "voice": _waves(generator, int(generator.integers(700, 3_000)), 3, 16000.0),
        "gyroscope": generator.normal(0.0, 60.0, (29, 3)).astype(np.float32),
    }


def _waves(generator: np.random.Generator, count: int, channels: int, rate: float) -> NDArray[Any]:
    time = np.arange(count)[:, None] / rate
    pitch = generator.uniform(80.0, 3000.0, (1, channels))
    loudness = 0.3 * np.sin(2 * np.pi * 3.0 * time + generator.uniform(0, 6, channels))
    noise = generator.normal(0.0, 0.03, (count, channels))
    return np.asarray(loudness * np.sin(2 * np.pi * pitch * time) + noise, np.float32)


def export_sound_bundle(path: Path, seed: int) -> tuple[Deployment, list[Sample], ExportReport]:
    """Exports it in fp32 and int8, through a gate that lets everything pass."""
    deployment = sound_deployment(seed)
    return export_classifier(path, deployment, raw_samples, seed=seed, labels=len(LABELS))
