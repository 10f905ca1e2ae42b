"""Small random models of odd sizes that the exporter's suites share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from plait_export import Classification, Deployment, Embedding, Regression, Signal

LABELS = ("rest", "walk", "run")


class Encoder(nn.Module):
    """[batch, channels, time] -> [batch, size]; a batch norm to be folded, an odd stride."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, 8, kernel_size=5, stride=3)
        self.norm = nn.BatchNorm1d(8)
        self.second = nn.Linear(8, size)
        nn.init.uniform_(self.norm.running_mean, -0.2, 0.2)  # type: ignore[arg-type]

    def forward(self, sample: Tensor) -> Tensor:
        embedding: Tensor = self.second(torch.relu(self.norm(self.first(sample))).mean(dim=2))
        return embedding


class TimeFirst(nn.Module):
    """The same for [batch, time, channels]."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.encoder = Encoder(channels, size)

    def forward(self, sample: Tensor) -> Tensor:
        embedding: Tensor = self.encoder(sample.transpose(1, 2))
        return embedding


class Fusion(nn.Module):
    """Embeddings of several sizes and presence -> [batch, outputs], absent ones left out."""

    def __init__(self, sizes: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(sum(sizes), 19)
        self.output = nn.Linear(19, outputs)

    def forward(self, *inputs: Tensor) -> Tensor:
        presence = inputs[-1]
        parts = [part * presence[:, i : i + 1] for i, part in enumerate(inputs[:-1])]
        answer: Tensor = self.output(torch.tanh(self.hidden(torch.cat(parts, dim=1))))
        return answer


class Hostile(nn.Module):
    """An encoder whose middle layer cannot be stored in 8 bits, while its neighbours can.

    The first feature is always 0, and has weights a thousand times the others': in float they do
    nothing, in 8 bits they set the step, and all others become 0 in every row and every scheme.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, 8, kernel_size=5, stride=3)
        self.hostile = nn.Linear(8, 16)
        self.last = nn.Linear(16, size)
        with torch.no_grad():
            self.first.bias[0] = -1e3  # type: ignore[index]
            self.hostile.weight[:, 0] = 1e3

    def forward(self, sample: Tensor) -> Tensor:
        features = torch.relu(self.first(sample)).mean(dim=2)
        embedding: Tensor = self.last(torch.tanh(self.hostile(features)))
        return embedding


def signal(
    encoder: nn.Module, channels: int | Sequence[str], window: int, **changes: Any
) -> Signal:
    """A modality with nothing special but what is said."""
    said: dict[str, Any] = {
        "encoder": encoder,
        "channels": channels,
        "rate_hz": 50.0,
        "window": window,
        "unit": "m/s^2",
        "max_age_ms": 400.0,
        "when_missing": "mask",
    }
    return Signal(**{**said, **changes})


def three_modalities(seed: int) -> Deployment:
    """Three signals that differ in all they can, and a head of each kind."""
    torch.manual_seed(seed)
    return Deployment(
        name="three",
        modalities={
            "motion": signal(
                Encoder(5, 7),
                5,
                37,
                mean=(0.1, -2.0, 0.0, 3.0, 0.5),
                std=(1.0, 0.5, 2.0, 1.5, 0.7),
            ),
            "turning": signal(
                TimeFirst(3, 6),
                3,
                29,
                rate_hz=31.25,
                unit="rad/s",
                layout="NTC",
                sensor_unit="deg/s",
                sensor_channels=("-z", "x", "-y", "temperature"),
                std=(1.0, 2.0, 3.0),
                when_missing="learned",
            ),
            "heart": signal(Encoder(1, 4), 1, 41, rate_hz=125.0, unit="mV", mean=(0.2,)),
        },
        heads={
            "activity": Classification(Fusion((7, 6, 4), 3), labels=LABELS),
            "effort": Regression(
                Fusion((4, 7), 2),
                labels=("pulse", "power"),
                units=("1/min", "W"),
                modalities=("heart", "motion"),
            ),
            "person": Embedding(Fusion((6,), 5), modalities=("turning",)),
        },
    )


def one_modality(encoder: nn.Module, size: int, **changes: Any) -> Deployment:
    """One signal of 3 channels and 37 samples, one classification."""
    return Deployment(
        name="one",
        modalities={"motion": signal(encoder, 3, 37, **changes)},
        heads={"activity": Classification(Fusion((size,), 3), labels=LABELS)},
    )


def raw_samples(
    deployment: Deployment, generator: np.random.Generator, count: int
) -> list[dict[str, NDArray[Any]]]:
    """Windows as the sensors would give them, each channel of its own size and offset."""
    samples: list[dict[str, NDArray[Any]]] = [{} for _ in range(count)]
    for name, described in deployment.modalities.items():
        channels = len(described.sensor_channel_names)
        size, offset = generator.uniform(0.5, 3.0, channels), generator.normal(size=channels)
        if described.raw_unit == "deg/s":
            size, offset = size * 60.0, offset * 60.0
        for sample in samples:
            noise = generator.normal(size=(described.window, channels)) * size
            drift = generator.normal(size=channels) * size
            sample[name] = (noise + drift + offset).astype(np.float32)
    return samples


def random_targets(
    deployment: Deployment, generator: np.random.Generator, samples: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Pairs for a gate that is not meant to fail."""
    return [
        (
            sample,
            {
                name: generator.integers(len(head.labels))
                if isinstance(head, Classification)
                else generator.normal(size=2 if isinstance(head, Regression) else 5)
                for name, head in deployment.heads.items()
            },
        )
        for sample in samples
    ]
