"""Times a bundle with the core's own clock readings: load, first call, and every stage after."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import plait
from plait.bench.spread import Spread
from plait.doctor.environment import Environment, environment
from plait.golden import golden_cases, golden_samples

Progress = Callable[[str, int, int], None]
Samples = Mapping[str, Any]  # modality -> ndarray [time, channels] or plait.Series


@dataclass(frozen=True)
class BenchRow:
    """One presence set in one precision.

    stages: "prepare:M", "encode:M" of what is present, "fuse:H" of the heads that answer, "core"
    (what the core spends outside of them), "total" (the core, from call to return) and "call" (the
    same seen from Python). throughput_hz: answers a second, one caller, one call after the other.
    """

    precision: str
    presence: tuple[str, ...]
    first_call_us: float
    throughput_hz: float
    stages: Mapping[str, Spread]

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return {
            "precision": self.precision,
            "presence": list(self.presence),
            "first_call_us": round(self.first_call_us, 3),
            "throughput_hz": round(self.throughput_hz, 1),
            "stages": {stage: spread.to_json() for stage, spread in self.stages.items()},
        }


@dataclass(frozen=True)
class LoadCost:
    """What loading one precision took. The first of a process also opens ONNX Runtime."""

    precision: str
    backend: str
    load_ms: float
    resident_bytes: int | None  # by how much the process grew; None where it can't be read


@dataclass(frozen=True)
class BenchReport:
    """All rows, and the conditions they were measured under."""

    bundle: str
    environment: Environment
    threads: int | None
    warm_up: int
    rounds: int
    samples: str
    loads: tuple[LoadCost, ...]
    peak_resident_bytes: int | None
    rows: tuple[BenchRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return {
            "bundle": self.bundle,
            "environment": self.environment.to_json(),
            "threads": self.threads,
            "warm_up": self.warm_up,
            "rounds": self.rounds,
            "samples": self.samples,
            "loads": [asdict(load) for load in self.loads],
            "peak_resident_bytes": self.peak_resident_bytes,
            "rows": [row.to_json() for row in self.rows],
        }


def measure(
    path: str | os.PathLike[str],
    *,
    presences: Sequence[Sequence[str]] | None = None,
    precisions: Sequence[str] | None = None,
    device: str = "auto",
    samples: Samples | None = None,
    threads: int | None = None,
    warm_up: int = 50,
    rounds: int = 1000,
    onnxruntime: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> BenchReport:
    """Measures every presence set in every precision, in random order within each round.

    presences: sets of modality names; None: those of the golden cases. precisions: None: the
    device's default. device: as in plait.load. samples: one raw sample a modality; None: the
    bundle's golden samples.
    Raises what plait.load and a call of the model raise, ConfigError for counts that make no sense
    or where there is no sample for a presence set.
    """
    if rounds < 1 or warm_up < 0:
        raise plait.ConfigError(
            where="bench.measure",
            expected="rounds >= 1 and warm_up >= 0",
            got=f"{rounds} and {warm_up}",
            action="Take at least 1000 rounds where p99.9 is to mean something.",
        )
    bundle = plait.Bundle(path)
    names = [modality["name"] for modality in bundle.manifest["modalities"]]
    wanted = [tuple(p) for p in presences] if presences else _golden_presences(bundle, samples)
    models, loads = _load(path, precisions or [None], device, threads, onnxruntime)
    subjects = [
        _Subject(model, presence, _inputs(bundle, names, presence, samples))
        for model in models
        for presence in wanted
    ]
    for subject in subjects:
        subject.first_call()
    shuffled = list(subjects)
    for number in range(warm_up + rounds):
        random.shuffle(shuffled)
        for subject in shuffled:
            subject.call(number, keep=number >= warm_up)
        if progress is not None:
            progress("bench", number + 1, warm_up + rounds)
    return BenchReport(
        bundle=os.fspath(path),
        environment=environment(onnxruntime),
        threads=threads,
        warm_up=warm_up,
        rounds=rounds,
        samples="golden" if samples is None else "given",
        loads=loads,
        peak_resident_bytes=_status_bytes("VmHWM"),
        rows=tuple(subject.row() for subject in subjects),
    )


def _load(
    path: str | os.PathLike[str],
    precisions: Sequence[str | None],
    device: str,
    threads: int | None,
    onnxruntime: str | os.PathLike[str] | None,
) -> tuple[list[plait.Model], tuple[LoadCost, ...]]:
    models: list[plait.Model] = []
    costs: list[LoadCost] = []
    for precision in precisions:
        resident = _status_bytes("VmRSS")
        start = time.perf_counter_ns()
        model = plait.load(
            path, device, precision=precision, threads=threads, onnxruntime=onnxruntime
        )
        load_ms = (time.perf_counter_ns() - start) / 1e6
        after = _status_bytes("VmRSS")
        grown = None if resident is None or after is None else after - resident
        models.append(model)
        costs.append(LoadCost(model.precision, model.backend, round(load_ms, 3), grown))
    return models, tuple(costs)


def _golden_presences(bundle: plait.Bundle, samples: Samples | None) -> list[tuple[str, ...]]:
    found = dict.fromkeys(case.presence for case in golden_cases(bundle.manifest))
    if samples is not None:
        found = dict.fromkeys(p for p in found if set(p) <= set(samples)) or {tuple(samples): None}
    if not found:
        raise plait.ConfigError(
            where=f"{bundle.name}, bench",
            expected="golden samples in the bundle, or samples of yours",
            got="neither",
            action="Pass --sample NAME=FILE for each modality.",
        )
    return sorted(found, key=len, reverse=True)


def _inputs(
    bundle: plait.Bundle, names: Sequence[str], presence: Sequence[str], samples: Samples | None
) -> list[dict[str, Any]]:
    """Arguments for model(**arguments): every modality named, absent ones with None."""
    present: Sequence[Samples] = golden_samples(bundle, presence) if samples is None else [samples]
    missing = [name for name in presence if not present or name not in present[0]]
    if missing:
        raise plait.ConfigError(
            where=f"{bundle.name}, bench",
            expected=f"a sample of each of {', '.join(presence)}",
            got=f"none of {', '.join(missing)}",
            action="Pass samples of your own where the bundle has no golden ones.",
        )
    return [{n: of[n] if n in presence else None for n in names} for of in present]


class _Subject:
    """One model in one presence set, and the durations it took."""

    def __init__(
        self, model: plait.Model, presence: tuple[str, ...], inputs: list[dict[str, Any]]
    ) -> None:
        self._model = model
        self._presence = presence
        self._inputs = inputs
        self._heads = [
            head["name"]
            for head in model.manifest["heads"]
            if set(head["modalities"]).intersection(presence)
        ]
        self._first_call_ns = 0
        self._stages: dict[str, list[int]] = {}

    def first_call(self) -> None:
        start = time.perf_counter_ns()
        self._model(**self._inputs[0])
        self._first_call_ns = time.perf_counter_ns() - start

    def call(self, number: int, *, keep: bool) -> None:
        inputs = self._inputs[number % len(self._inputs)]
        start = time.perf_counter_ns()
        result = self._model(**inputs)
        call_ns = time.perf_counter_ns() - start
        if keep:
            self._record(result.timings, call_ns)

    def _record(self, timings: plait.Timings, call_ns: int) -> None:
        durations: dict[str, int] = {}
        for name in self._presence:
            durations[f"prepare:{name}"] = timings.prepare_ns[name]
        for name in self._presence:
            durations[f"encode:{name}"] = timings.encode_ns[name]
        for name in self._heads:
            durations[f"fuse:{name}"] = timings.fuse_ns[name]
        durations["core"] = timings.total_ns - sum(durations.values())
        durations["total"] = timings.total_ns
        durations["call"] = call_ns
        for stage, duration in durations.items():
            self._stages.setdefault(stage, []).append(duration)

    def row(self) -> BenchRow:
        calls: NDArray[np.int64] = np.asarray(self._stages["call"], dtype=np.int64)
        return BenchRow(
            precision=self._model.precision,
            presence=self._presence,
            first_call_us=self._first_call_ns / 1e3,
            throughput_hz=1e9 * calls.size / float(calls.sum()),
            stages={stage: Spread.of(taken) for stage, taken in self._stages.items()},
        )


def _status_bytes(key: str) -> int | None:
    """A line of /proc/self/status that is a size: VmRSS (now), VmHWM (highest)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith(f"{key}:")), None)
    return None if found is None else int(found.split()[1]) * 1024
