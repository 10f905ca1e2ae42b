"""The fastest variant is chosen by paired rounds, and a tie goes to the earlier one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait_export.choose import TIE, Measurement, fastest, measure


def measured(relative: float) -> Measurement:
    return Measurement(90.0 * relative, 1.0, 80.0 * relative, relative, 31, "none")


@given(st.lists(st.floats(0.01, 10.0), min_size=1, max_size=6))
def test_the_chosen_is_within_a_tie_of_the_best_and_none_before_it_is(times: list[float]) -> None:
    variants = {f"v{i}": measured(time) for i, time in enumerate(times)}
    chosen = int(fastest(variants)[1:])
    limit = min(times) * (1.0 + TIE)
    assert times[chosen] <= limit
    assert all(time > limit for time in times[:chosen])


def test_fp32_wins_a_tie() -> None:
    assert fastest({"fp32": measured(1.0), "int8": measured(0.99)}) == "fp32"
    assert fastest({"fp32": measured(1.0), "int8": measured(0.5)}) == "int8"
    assert fastest({"fp32": measured(1.0), "int8": measured(2.0)}) == "fp32"


class Recorder:
    """Stands in for a model, and notes when it is called."""

    backend = "none"

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self.calls = calls

    def __call__(self, **samples: Any) -> None:
        assert set(samples) == {"motion"}
        self.calls.append(self.name)


def test_rounds_are_interleaved_in_changing_order() -> None:
    calls: list[str] = []
    models: dict[str, Any] = {name: Recorder(name, calls) for name in ("fp32", "int8", "fp16")}
    result = measure(models, [{"motion": [1.0]}])  # type: ignore[dict-item]
    rounds = result["fp32"].rounds
    assert rounds >= 30
    timed = calls[len(calls) - 3 * 2 * rounds :]
    orders = set()
    for start in range(0, len(timed), 6):
        once = timed[start : start + 6]
        order = tuple(dict.fromkeys(once))
        assert sorted(order) == ["fp16", "fp32", "int8"]
        assert once == [name for name in order for _ in range(2)]
        orders.add(order)
    assert len(orders) > 1
    assert result["fp32"].relative == 1.0
    assert all(m.median_us > 0.0 for m in result.values())


def test_samples_are_needed() -> None:
    with pytest.raises(ZeroDivisionError):
        measure({"fp32": Recorder("fp32", [])}, [])  # type: ignore[dict-item]
