"""A small real bundle, exported from random torch modules: three odd signals, two heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from plait_export import (
    Classification,
    Deployment,
    Gate,
    Lineage,
    Regression,
    Signal,
    accuracy,
    export,
    negative_mean_absolute_error,
)

LABELS = ("rest", "walk", "run", "jump", "fall")

# modality -> (window, channels of a raw sample, size of its values in the sensor's unit)
RAW = {
    "accelerometer": (37, 3, 1.0),
    "gyroscope": (29, 3, 60.0),
    "ecg": (101, 2, 800.0),
}


class Encoder(nn.Module):
    """[batch, channels, time] (or [batch, time, channels]) -> [batch, size]."""

    def __init__(self, channels: int, size: int, *, time_first: bool = False) -> None:
        super().__init__()
        self.time_first = time_first
        self.convolution = nn.Conv1d(channels, 13, kernel_size=5, stride=2)
        self.projection = nn.Linear(13, size)

    def forward(self, sample: Tensor) -> Tensor:
        if self.time_first:
            sample = sample.transpose(1, 2)
        projected: Tensor = self.projection(torch.relu(self.convolution(sample)).mean(dim=2))
        return projected


class Head(nn.Module):
    """One embedding a modality, then presence [batch, modalities] -> [batch, outputs]."""

    def __init__(self, sizes: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.tokens = nn.ParameterList([nn.Parameter(torch.randn(size)) for size in sizes])
        self.hidden = nn.Linear(sum(sizes), 31)
        self.output = nn.Linear(31, outputs)

    def forward(self, *inputs: Tensor) -> Tensor:
        presence = inputs[-1]
        parts = []
        for index, (embedding, token) in enumerate(zip(inputs[:-1], self.tokens, strict=True)):
            here = presence[:, index : index + 1]
            parts.append(embedding * here + token * (1.0 - here))
        answer: Tensor = self.output(torch.tanh(self.hidden(torch.cat(parts, dim=1))))
        return answer


def tiny_deployment() -> Deployment:
    """The same weights every time."""
    torch.manual_seed(20261123)
    return Deployment(
        name="tiny",
        description="Random weights; for tests.",
        modalities={
            "accelerometer": Signal(
                encoder=Encoder(3, 17),
                channels=("x", "y", "z"),
                unit="m/s^2",
                rate_hz=50.0,
                window=37,
                mean=(0.3, -0.2, 9.1),
                std=(4.0, 3.5, 5.0),
                sensor_channels=("y", "-x", "z"),
                sensor_unit="g",
                max_age_ms=400.0,
                when_missing="learned",
            ),
            "gyroscope": Signal(
                encoder=Encoder(3, 11, time_first=True),
                channels=("x", "y", "z"),
                unit="rad/s",
                rate_hz=40.0,
                window=29,
                layout="NTC",
                std=(1.0, 1.1, 0.9),
                sensor_unit="deg/s",
                max_age_ms=300.0,
                when_missing="learned",
            ),
            "ecg": Signal(
                encoder=Encoder(2, 7),
                channels=("left", "right"),
                unit="mV",
                rate_hz=125.0,
                window=101,
                std=(500.0, 450.0),
                max_age_ms=1000.0,
                when_missing="mask",
            ),
        },
        heads={
            "exercise": Classification(Head((17, 11, 7), len(LABELS)), labels=LABELS),
            "effort": Regression(
                Head((17, 7), 2),
                labels=("pulse", "power"),
                units=("1/min", "W"),
                modalities=("accelerometer", "ecg"),
            ),
        },
    )


def raw_samples(generator: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """One window of every modality in the sensor's units: a wave with noise."""
    return {name: raw_recording(generator, name, RAW[name][0]) for name in RAW}


def raw_recording(generator: np.random.Generator, modality: str, rows: int) -> NDArray[np.float32]:
    """[rows, channels] of one modality."""
    _, channels, size = RAW[modality]
    time = np.arange(rows)[:, np.newaxis]
    wave = np.sin(time * generator.uniform(0.05, 0.6, channels) + generator.uniform(0, 6, channels))
    noise = generator.normal(size=(rows, channels))
    return (size * (wave + 0.2 * noise)).astype(np.float32)


def export_tiny_bundle(path: Path) -> Path:
    """Exports the bundle in fp32 and int8, with golden data and quality of every presence set.

    The weights are random and so are the targets: the gate lets everything through.
    """
    generator = np.random.default_rng(7)
    samples = [raw_samples(generator) for _ in range(24)]
    gate = Gate(
        metric={"exercise": accuracy, "effort": negative_mean_absolute_error},
        held_out=[
            (
                raw_samples(generator),
                {"exercise": int(generator.integers(5)), "effort": generator.normal(size=2)},
            )
            for _ in range(24)
        ],
        max_drop={"exercise": 1.0, "effort": 1e6},
    )
    lineage = Lineage(data={"name": "random waves", "license": "none"}, split={"seed": 7})
    export(
        tiny_deployment(),
        path,
        samples=samples,
        gate=gate,
        precisions=("fp32", "int8"),
        lineage=lineage,
    )
    return path
