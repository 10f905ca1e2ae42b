"""The spread of durations: percentiles against a plain sorted list."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plait.bench import Spread


@pytest.mark.parametrize("rounds", [1, 2, 3, 99, 101, 997, 1000, 4001])
def test_percentiles_are_the_shortest_duration_that_many_rounds_keep_to(
    generator: np.random.Generator, rounds: int
) -> None:
    durations = generator.lognormal(11, 1, size=rounds).astype(np.int64)
    spread = Spread.of(durations)
    ordered = sorted(durations.tolist())
    for share, measured in (
        (0.5, spread.p50_us),
        (0.9, spread.p90_us),
        (0.99, spread.p99_us),
        (0.999, spread.p999_us),
    ):
        place = math.ceil(round(share * rounds, 6)) - 1
        assert measured == ordered[place] / 1e3
    assert (spread.minimum_us, spread.maximum_us) == (ordered[0] / 1e3, ordered[-1] / 1e3)
    assert spread.mean_us == pytest.approx(sum(ordered) / rounds / 1e3)


def test_no_durations_have_no_spread() -> None:
    with pytest.raises(ValueError, match="none"):
        Spread.of([])
