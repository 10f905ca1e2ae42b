"""A small real bundle with two cameras and a gyroscope, exported from random torch modules."""

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
    Frame,
    Signal,
)
from tests.cases.classifier import export_classifier
from tests.cases.tiny_bundle import Encoder, Head

LABELS = ("near", "far", "nothing")
Sample = dict[str, NDArray[Any]]


class FrameEncoder(nn.Module):
    """[batch, 3, height, width] (or [batch, height, width, 1]) -> [batch, size]."""

    def __init__(self, channels: int, size: int, *, channels_last: bool = False) -> None:
        super().__init__()
        self.channels_last = channels_last
        self.convolution = nn.Conv2d(channels, 11, kernel_size=5, stride=3)
        self.projection = nn.Linear(11, size)

    def forward(self, sample: Tensor) -> Tensor:
        if self.channels_last:
            sample = sample.permute(0, 3, 1, 2)
        features = torch.relu(self.convolution(sample)).mean(dim=(2, 3))
        projected: Tensor = self.projection(features)
        return projected


def camera_deployment(seed: int) -> Deployment:
    """An exact colour camera, a fast YUV camera with grey eyes, and a signal."""
    torch.manual_seed(seed)
    return Deployment(
        name="camera",
        description="Random weights; for tests.",
        modalities={
            "front": Frame(
                encoder=FrameEncoder(3, 9),
                size=(33, 29),
                resize_size=(37, 37),
                fit="shortest",
                format="bgr8",
                filter="bicubic",
                arithmetic="exact",
                mean=(0.485, 0.456, 0.406),
                std=(0.229, 0.224, 0.225),
                max_age_ms=100.0,
                when_missing="learned",
            ),
            "rear": Frame(
                encoder=FrameEncoder(1, 5, channels_last=True),
                size=(31, 41),
                fit="letterbox",
                pad=114,
                channels="GRAY",
                format="nv12",
                matrix="bt601",
                range="limited",
                layout="NHWC",
                max_age_ms=100.0,
                when_missing="learned",
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
        heads={"distance": Classification(Head((9, 5, 7), len(LABELS)), labels=LABELS)},
    )


def raw_samples(generator: np.random.Generator) -> Sample:
    """Frames of another size each time: waves with noise; and a window."""
    rows, columns = (2 * int(side) for side in generator.integers(20, 60, 2))
    return {
        "front": _waves(generator, rows + 1, columns + 1, 3),
        "rear": _waves(generator, rows * 3 // 2, columns, 1)[:, :, 0],
        "gyroscope": generator.normal(0.0, 60.0, (29, 3)).astype(np.float32),
    }


def _waves(generator: np.random.Generator, rows: int, columns: int, channels: int) -> NDArray[Any]:
    y, x = np.mgrid[:rows, :columns]
    image = np.stack(
        [
            120.0 + 90.0 * np.sin(x * a + y * b + c)
            for a, b, c in generator.uniform(0.02, 0.5, (channels, 3))
        ],
        axis=2,
    )
    return np.clip(image + generator.normal(0.0, 15.0, image.shape), 0, 255).astype(np.uint8)


def export_camera_bundle(path: Path, seed: int) -> tuple[Deployment, list[Sample], ExportReport]:
    """Exports it in fp32 and int8, through a gate that lets everything pass."""
    deployment = camera_deployment(seed)
    return export_classifier(path, deployment, raw_samples, seed=seed, labels=len(LABELS))
