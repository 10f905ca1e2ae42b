"""Which variant is the fastest here: measured on this device, through the core."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import plait
from plait_export.samples import Sample

# A faster variant has to be so by more than what two measurements of the same one differ by.
TIE = 0.03

_FEWEST_ROUNDS = 31
_MOST_ROUNDS = 251
_SAMPLES = 16
_WARM_UP_CALLS = 10
_SECONDS = 4.0


@dataclass(frozen=True)
class Measurement:
    """The time of a whole call with everything present, in microseconds, over all rounds.

    median_us, spread_us: the median, and the distance of the quartiles. quick_us: the tenth
    percentile. Other work on the machine only ever adds time, so this is what the variant itself
    takes, the same on a busy machine and on an idle one, and what is chosen by. relative: quick_us
    over the first variant's.
    """

    median_us: float
    spread_us: float
    quick_us: float
    relative: float
    rounds: int
    backend: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    models: Mapping[str, plait.Model],
    samples: Sequence[Sample],
    generating: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Measurement]:
    """Times all models in the same rounds, in a new random order in each; the first is FP32.

    generating: heads whose texts are part of what is timed.
    """
    shuffled = random.Random(seed)
    chosen = [dict(sample) for sample in samples[:_SAMPLES]]
    round_seconds = 2.0 * sum(_warm_up(model, chosen, generating) for model in models.values())
    count = int(min(_MOST_ROUNDS, max(_FEWEST_ROUNDS, _SECONDS / max(round_seconds, 1e-9))))
    times: dict[str, list[float]] = {name: [] for name in models}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for index in range(count):
            sample = chosen[index % len(chosen)]
            for name in shuffled.sample(list(models), len(models)):
                # Once for the caches, which the variant before has filled with its own.
                _seconds(models[name], sample, generating)
                times[name].append(_seconds(models[name], sample, generating) * 1e6)
    finally:
        if collecting:
            gc.enable()
    quick = {name: statistics.quantiles(own, n=10)[0] for name, own in times.items()}
    first = next(iter(quick.values()))
    return {
        name: Measurement(
            median_us=statistics.median(own),
            spread_us=_spread(own),
            quick_us=quick[name],
            relative=quick[name] / first,
            rounds=count,
            backend=models[name].backend,
        )
        for name, own in times.items()
    }


def fastest(measured: Mapping[str, Measurement]) -> str:
    """The first that is within TIE of the best."""
    best = min(measurement.relative for measurement in measured.values())
    return next(name for name, m in measured.items() if m.relative <= best * (1.0 + TIE))


def _warm_up(model: plait.Model, samples: Sequence[Sample], generating: Sequence[str]) -> float:
    """Seconds of the quickest call."""
    times = (_seconds(model, samples[i % len(samples)], generating) for i in range(_WARM_UP_CALLS))
    return min(times)


def _seconds(model: plait.Model, sample: Sample, generating: Sequence[str]) -> float:
    begin = time.perf_counter_ns()
    answers = model(**sample)
    for head in generating:
        model.generate(head, answers)
    return (time.perf_counter_ns() - begin) * 1e-9


def _spread(times: list[float]) -> float:
    quartiles = statistics.quantiles(times, n=4)
    return quartiles[2] - quartiles[0]
