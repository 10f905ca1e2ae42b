"""The steps of an export, in order; each is a room of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import plait
from plait_export import choose, golden
from plait_export.bundle import check_target, write_bundle
from plait_export.candidate import Candidate, variant_name
from plait_export.describe import Generation
from plait_export.evaluate import Workbench
from plait_export.gate import Attempt, Gate
from plait_export.graphs import Graph
from plait_export.judge import Judge
from plait_export.lineage import describe_lineage, describe_machine
from plait_export.manifest import describe_deployment, describe_variant, graph_members
from plait_export.metrics import name_of
from plait_export.original import check_original
from plait_export.parity import check_parity
from plait_export.presence import presence_sets
from plait_export.progress import Progress
from plait_export.report import ExportReport
from plait_export.request import Request
from plait_export.samples import HeldOut, Sample, check_held_out, check_samples
from plait_export.texts import check_ids, leave_encoders_out
from plait_export.trace import trace
from plait_export.variants import Trial, make_variants


@dataclass(frozen=True)
class Choice:
    """The fastest passing candidate of each precision, FP32 first, and the fastest of all.

    measured: of those that run here; what engines are built from is not timed.
    """

    candidates: dict[str, Candidate]
    measured: dict[str, choose.Measurement]
    default_precision: str


def run(
    request: Request, path: Path, folder: Path, progress: Progress, script: Path | None
) -> ExportReport:
    """Does all of it. folder: for candidate bundles, the caller's to clean up."""
    request.check()
    check_target(path)
    samples = check_samples(request.deployment, request.samples, "calibration")
    held_out = None
    if request.gate is not None:
        held_out = check_held_out(request.deployment, request.gate.held_out)
    check_ids(request.deployment, samples)
    sets = presence_sets(request.deployment)

    traced = trace(request.deployment, samples, progress)
    parity = check_parity(traced, samples, sets, progress)

    judged_on = samples if held_out is None else held_out.samples
    workbench = Workbench(traced, judged_on, sets, folder)
    agreed = _check_original(workbench, samples, progress)
    trials = _try_all(request, samples, held_out, workbench, progress)
    choice = _choose(trials, workbench, progress)

    progress("golden", 0, 1)
    models = {name: workbench.load(candidate) for name, candidate in choice.candidates.items()}
    as_written = {
        name: workbench.load(replace(candidate, judged=None))
        for name, candidate in choice.candidates.items()
        if candidate.judged is not None
    }
    recorded = golden.record(traced, models, judged_on, sets, as_written)
    progress("golden", 1, 1)

    progress("write", 0, 1)
    files, table = graph_members(list(choice.candidates.values()))
    manifest = {
        **describe_deployment(traced),
        "lineage": {
            **describe_lineage(request.lineage, script.parent if script else Path.cwd()),
            **({} if agreed is None else {"original": agreed}),
        },
        **_describe_choice(choice, table),
        **_describe_gate(request.gate, held_out, trials),
        "golden": recorded.manifest,
    }
    leave_encoders_out(request.deployment, manifest, files)
    members = {**files, **traced.members, **recorded.members}
    size = write_bundle(path, manifest, members, check=_opens)
    progress("write", 1, 1)
    attempts = [trial.attempt for trial in trials]
    return ExportReport(
        path=str(path),
        bytes=size,
        default_precision=choice.default_precision,
        quality=manifest["quality"],
        attempts=attempts,
        parity=parity,
        warnings=_warnings(request, choice, attempts),
    )


def _check_original(
    workbench: Workbench, samples: Sequence[Sample], progress: Progress
) -> dict[str, Any] | None:
    """Before minutes of quantizing: does the core answer as the model's own library does?"""
    deployment = workbench.traced.deployment
    if deployment.original is None:
        return None
    progress("original", 0, 1)
    fp32 = Candidate("fp32", "float", _onnx(workbench.traced.graphs))
    agreed = check_original(deployment, workbench.load(fp32), samples)
    progress("original", 1, 1)
    return agreed


def _try_all(
    request: Request,
    samples: Sequence[Sample],
    held_out: HeldOut | None,
    workbench: Workbench,
    progress: Progress,
) -> list[Trial]:
    """FP32 first, judged against PyTorch; then the fused form of it, and whatever smaller was
    asked for."""
    fp32, *fused = (
        Candidate("fp32", "float", _onnx(workbench.traced.graphs_of(form)), form=form)
        for form in workbench.traced.forms
    )
    judge = None
    if request.gate is not None and held_out is not None:
        progress("baseline", 0, 1)
        judge = Judge(request.gate, workbench, held_out, fp32)
        progress("baseline", 1, 1)
    attempt = Attempt("fp32", "float", "passed", judge.baseline if judge else [])
    trials = [Trial(fp32, attempt)]
    for candidate in fused:
        scores = judge.judge(candidate) if judge else []
        failed = [score for score in scores if not score.passed]
        attempt = Attempt(candidate.name, "float", "failed" if failed else "passed", scores)
        trials.append(Trial(None if failed else candidate, attempt))
    return [*trials, *make_variants(request, samples, workbench, judge, progress)]


def _onnx(graphs: Mapping[str, Graph]) -> dict[str, bytes]:
    return {name: graph.onnx for name, graph in graphs.items()}


def _choose(trials: Sequence[Trial], workbench: Workbench, progress: Progress) -> Choice:
    """Measures all that passed in the same rounds, so that they can be compared."""
    progress("choose", 0, 1)
    passed = {
        f"{trial.attempt.precision} {trial.attempt.scheme}": trial
        for trial in trials
        if trial.target == "onnxruntime"
    }
    models = {name: workbench.load(t.candidate) for name, t in passed.items() if t.candidate}
    heads = workbench.traced.deployment.heads
    generating = [name for name, head in heads.items() if isinstance(head, Generation)]
    measured = choose.measure(models, workbench.samples, generating)
    candidates: dict[str, Candidate] = {}
    chosen: dict[str, choose.Measurement] = {}
    for name, measurement in measured.items():
        passed[name].attempt.median_us = round(measurement.median_us, 1)
        passed[name].attempt.relative = round(measurement.relative, 4)
    for precision in dict.fromkeys(trial.attempt.precision for trial in passed.values()):
        own = {n: m for n, m in measured.items() if passed[n].attempt.precision == precision}
        name = choose.fastest(own)
        candidate = passed[name].candidate
        if candidate is not None:
            passed[name].attempt.chosen = True
            candidates[precision] = candidate
            chosen[precision] = measured[name]
    for trial in trials:  # what engines are built from can't be timed here: the first that passed
        candidate = trial.candidate
        if candidate and candidate.target == "tensorrt" and candidate.name not in candidates:
            trial.attempt.chosen = True
            candidates[candidate.name] = candidate
    progress("choose", 1, 1)
    return Choice(candidates, chosen, choose.fastest(chosen))


def _describe_choice(choice: Choice, table: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {
        "variants": [
            {**describe_variant(candidate, table[name]), **_time(choice, name)}
            for name, candidate in choice.candidates.items()
        ],
        "default_precision": choice.default_precision,
        "choice": {
            "machine": describe_machine(),
            "measured": {name: m.to_json() for name, m in choice.measured.items()},
        },
    }


def _time(choice: Choice, name: str) -> dict[str, float]:
    measured = choice.measured.get(name)
    return {} if measured is None else {"median_us": round(measured.median_us, 1)}


def _describe_gate(
    gate: Gate | None, held_out: HeldOut | None, trials: Sequence[Trial]
) -> dict[str, Any]:
    """The sections that only a judged bundle has; no rows of quality for one that is not."""
    if gate is None or held_out is None:
        return {"quality": []}
    metrics = {head: name_of(gate.metric_of(head)) for head in held_out.targets}
    same = len(set(metrics.values())) == 1
    drop = gate.max_drop
    return {
        "gate": {
            "metric": next(iter(metrics.values())) if same else metrics,
            "max_drop": dict(drop) if isinstance(drop, Mapping) else drop,
            "samples": len(held_out.samples),
            "attempts": [trial.attempt.to_json() for trial in trials],
        },
        "quality": [
            {
                "head": score.head,
                "presence": list(score.presence),
                "precision": trial.attempt.precision,
                "metric": score.metric,
                "value": score.value,
                "samples": score.samples,
            }
            for trial in trials
            if trial.attempt.chosen
            for score in trial.attempt.scores
        ],
    }


def _warnings(request: Request, choice: Choice, attempts: Sequence[Attempt]) -> list[str]:
    warnings = []
    engines = (variant_name(name, "portable", "tensorrt") for name in request.engines)
    for precision in (*request.precisions, *engines):
        if precision not in choice.candidates:
            notes = [a.note for a in attempts if a.precision == precision and a.note]
            warnings.append(f"{precision} was not written: {notes[-1] if notes else 'refused'}")
    return warnings


def _opens(path: Path) -> None:
    """What a device will do with the file first: every member checked, every precision loaded."""
    bundle = plait.Bundle(str(path))
    bundle.verify()
    for variant in bundle.manifest["variants"]:
        plait.load(str(path), precision=variant["precision"])
