"""A small real bundle with a LiDAR, a radar and a signal, exported from random torch modules."""

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
    Points,
    Signal,
)
from tests.cases.classifier import export_classifier
from tests.cases.tiny_bundle import Encoder, Head

LABELS = ("car", "person", "nothing")
Sample = dict[str, NDArray[Any]]


class CloudEncoder(nn.Module):
    """[batch, capacity, channels] -> [batch, size]: the maximum over all points, as PointNet."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels, 17)
        self.second = nn.Linear(17, size)

    def forward(self, sample: Tensor) -> Tensor:
        there = torch.isfinite(sample[:, :, :1])
        points = torch.where(there, sample, torch.zeros_like(sample)) / 30.0
        features = torch.relu(self.first(points)) * there.to(sample.dtype)
        embedding: Tensor = self.second(features.amax(dim=1))
        return embedding


def mounting(generator: np.random.Generator) -> NDArray[np.float64]:
    """A random rotation with a move of some metres, [3, 4]."""
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    return np.concatenate([rotation, generator.normal(0.0, 2.0, (3, 1))], axis=1)


def points_deployment(seed: int) -> Deployment:
    """A LiDAR mounted askew that is thinned out, a radar in millimetres, a signal."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    return Deployment(
        name="car",
        description="Random weights; for tests.",
        modalities={
            "lidar": Points(
                encoder=CloudEncoder(4, 9),
                capacity=11,
                overflow="spread",
                range=((-30.0, -20.0, -4.0), (40.0, 25.0, 6.0)),
                sensor_channels=("intensity", "x", "y", "z", "ring"),
                extrinsics=mounting(generator).tolist(),
                mean=(0.0, 0.0, 0.0, 40.0),
                std=(1.0, 1.0, 1.0, 25.0),
                max_age_ms=100.0,
                when_missing="learned",
            ),
            "radar": Points(
                encoder=CloudEncoder(5, 6),
                channels=("x", "y", "z", "speed", "size"),
                sensor_unit="mm",
                capacity=37,
                overflow="first",
                max_age_ms=200.0,
                when_missing="learned",
            ),
            "gyroscope": Signal(
                encoder=Encoder(3, 7),
                channels=3,
                unit="rad/s",
                rate_hz=50.0,
                window=29,
                max_age_ms=300.0,
                when_missing="learned",
            ),
        },
        heads={"object": Classification(Head((9, 6, 7), len(LABELS)), labels=LABELS)},
    )


def raw_samples(generator: np.random.Generator) -> Sample:
    """Clouds of any number of points, some rows of which are none; and a window."""
    lidar = generator.normal(0.0, 20.0, (int(generator.integers(200, 400)), 5)).astype(np.float32)
    lidar[generator.random(len(lidar)) < 0.1, 2] = np.nan
    radar = generator.normal(0.0, 15000.0, (int(generator.integers(20, 60)), 5))
    return {
        "lidar": lidar,
        "radar": radar,
        "gyroscope": generator.normal(0.0, 1.0, (29, 3)).astype(np.float32),
    }


def export_points_bundle(path: Path, seed: int) -> tuple[Deployment, list[Sample], ExportReport]:
    """Exports it in fp32 and int8, through a gate that lets everything pass."""
    deployment = points_deployment(seed)
    return export_classifier(path, deployment, raw_samples, seed=seed, labels=len(LABELS))
