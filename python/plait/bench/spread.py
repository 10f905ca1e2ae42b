"""The spread of many durations: percentiles that are always durations that occurred."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Spread:
    """Microseconds. p99_us is the shortest duration that at least 99 % of the rounds kept to."""

    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    minimum_us: float
    maximum_us: float
    mean_us: float

    @classmethod
    def of(cls, durations_ns: ArrayLike) -> Spread:
        """The spread of at least one duration in nanoseconds. Raises ValueError for none."""
        us = np.sort(np.asarray(durations_ns, dtype=np.float64)) / 1e3
        if us.size == 0:
            raise ValueError("expected at least one duration, got none")

        def keeps_to(permille: int) -> float:
            # In integers: np.percentile's rounding takes the maximum for p99.9 of 1000 rounds.
            return float(us[-(-us.size * permille // 1000) - 1])

        return cls(
            p50_us=keeps_to(500),
            p90_us=keeps_to(900),
            p99_us=keeps_to(990),
            p999_us=keeps_to(999),
            minimum_us=float(us[0]),
            maximum_us=float(us[-1]),
            mean_us=float(us.mean()),
        )

    def to_json(self) -> dict[str, float]:
        """Plain data for json.dumps."""
        return {key: round(value, 3) for key, value in asdict(self).items()}
