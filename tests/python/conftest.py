"""Fixtures of the Python suites: one small real bundle, and a fresh seed that a failure prints."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
import pytest


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
