"""Fresh random input for every test of the operators."""

from __future__ import annotations

import secrets

import numpy as np
import pytest


@pytest.fixture
def generator() -> np.random.Generator:
    """Its seed is printed where a test fails."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return np.random.default_rng(seed)
