"""Fixtures of the Python suites: one small real bundle, and a fresh seed that a failure prints."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of three modalities and two heads in fp32 and int8. Never write to it."""
    from tests.cases.tiny_bundle import export_tiny_bundle  # takes seconds: torch

    return export_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny.plait")


@pytest.fixture
def generator() -> np.random.Generator:
    """Fresh random numbers; pytest shows the seed where the test fails."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., plait.Model]:
    """Makes a model with one camera a manifest section."""
    from tests.cases.frame_bundle import write_frame_bundle

    def made(**sections: dict[str, Any]) -> plait.Model:
        return plait.load(write_frame_bundle(tmp_path / "frames.plait", sections), threads=1)

    return made


@pytest.fixture
def recordings(tmp_path: Path, generator: np.random.Generator) -> dict[str, Path]:
    """About 8 s of every modality; the accelerometer as CSV, the others as NPY."""
    from tests.cases.tiny_bundle import raw_recording

    paths = {}
    for name, seconds_rows in (("accelerometer", 400), ("gyroscope", 320), ("ecg", 1000)):
        paths[name] = tmp_path / f"{name}.npy"
        np.save(paths[name], raw_recording(generator, name, seconds_rows))
    values = np.load(paths["accelerometer"])
    paths["accelerometer"] = tmp_path / "accelerometer.csv"
    # 9 digits give every float32 back exactly.
    np.savetxt(paths["accelerometer"], values, "%.9g", delimiter=",", header="y,x,z", comments="")
    return paths
