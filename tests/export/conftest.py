"""Fixtures of the exporter's suites: fresh random numbers, and one deployment traced once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from plait_export import (
    Classification,
    Deployment,
    ExportReport,
    Gate,
    Lineage,
    accuracy,
    export,
    negative_mean_absolute_error,
)
from plait_export.presence import PresenceSet, presence_sets
from plait_export.progress import silent
from plait_export.trace import Traced, trace
from tests.export.models import (
    LABELS,
    Encoder,
    Fusion,
    random_targets,
    raw_samples,
    signal,
    three_modalities,
)


@pytest.fixture
def generator() -> np.random.Generator:
    """Fresh random numbers; pytest shows the seed where the test fails."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture
def seed() -> int:
    """A fresh seed, torch's already; pytest shows it where the test fails."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    torch.manual_seed(seed)
    return seed


@dataclass(frozen=True)
class Case:
    """A traced deployment with real-looking samples."""

    deployment: Deployment
    samples: list[dict[str, NDArray[Any]]]
    sets: list[PresenceSet]
    traced: Traced


@dataclass(frozen=True)
class Exported:
    """A bundle and what it was made from. Never write to it."""

    path: Path
    report: ExportReport
    deployment: Deployment
    samples: list[dict[str, NDArray[Any]]]
    held_out: list[tuple[Any, dict[str, Any]]]


@pytest.fixture(scope="session")
def case() -> Case:
    """Three modalities, three heads, traced. The seed is printed by whichever test comes first."""
    seed = secrets.randbits(32)
    print(f"model seed {seed}")
    deployment = three_modalities(seed)
    samples = raw_samples(deployment, np.random.default_rng(seed), 48)
    traced = trace(deployment, samples, silent)
    return Case(deployment, samples, presence_sets(deployment), traced)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The same deployment as a bundle of all precisions, through a gate that lets all pass."""
    seed = secrets.randbits(32)
    print(f"bundle seed {seed}")
    deployment = three_modalities(seed)
    generator = np.random.default_rng(seed)
    samples = raw_samples(deployment, generator, 40)
    held_out = random_targets(deployment, generator, raw_samples(deployment, generator, 33))
    path = tmp_path_factory.mktemp("exported") / "three.plait"
    report = export(
        deployment,
        path,
        samples=samples,
        gate=Gate(
            metric={
                "activity": accuracy,
                "effort": negative_mean_absolute_error,
                "person": negative_mean_absolute_error,
            },
            held_out=held_out,
            max_drop={"activity": 1.0, "effort": 1e6, "person": 1e6},
        ),
        precisions=("fp32", "fp16", "int8"),
        lineage=Lineage(
            data={"name": "noise", "license": "none"}, split={"seed": seed}, script="x/train.py"
        ),
    )
    return Exported(path, report, deployment, samples, held_out)


@pytest.fixture(scope="session")
def engine_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two encoders and a head, in FP32 and as FP16 and INT8 for engines. Never write to it."""
    torch.manual_seed(11)
    generator = np.random.default_rng(11)

    def draw() -> dict[str, Any]:
        return {
            name: generator.normal(size=(37, 5)).astype(np.float32) for name in ("left", "right")
        }

    encoders: dict[str, nn.Module] = {"left": Encoder(5, 7), "right": Encoder(5, 7)}
    path = tmp_path_factory.mktemp("engines") / "pair.plait"
    export(
        Deployment(
            name="pair",
            modalities={name: signal(net, 5, 37) for name, net in encoders.items()},
            heads={"activity": Classification(Fusion((7, 7), 3), LABELS)},
        ),
        path,
        samples=[draw() for _ in range(12)],
        gate=Gate(accuracy, [(draw(), 0) for _ in range(9)], max_drop=1.0),
        precisions=("fp32",),
        engines=("fp16", "int8"),
    )
    return path
