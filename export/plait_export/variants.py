"""Makes every smaller variant that was asked for, and lets the gate judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from plait import BackendError
from plait_export import reference
from plait_export.candidate import Candidate, Target, variant_name
from plait_export.describe import Generation, encoder_name, head_name, step_name
from plait_export.engines import ENGINE_SCHEMES
from plait_export.evaluate import Workbench
from plait_export.gate import Attempt
from plait_export.generation import say
from plait_export.graphs import FloatArray, Form, head_feeds
from plait_export.judge import Judge, worst_drop
from plait_export.presence import head_sets
from plait_export.progress import Progress
from plait_export.quantize import (
    SCHEMES,
    Quantizable,
    Scheme,
    form_of,
    make_quantizable,
    why_not_loadable,
)
from plait_export.request import Request
from plait_export.samples import Sample
from plait_export.search import forced, quantized, repair

_MOST_CALIBRATION_SAMPLES = 512
_SAID_SAMPLES = 8
# How many failing schemes are repaired, the least damaged first, where another passed already.
_REPAIRS_BESIDE_A_PASS = 1


@dataclass(frozen=True)
class Trial:
    """candidate: what passed, or None. attempt: what is reported of it."""

    candidate: Candidate | None
    attempt: Attempt

    @property
    def target(self) -> Target | None:
        return None if self.candidate is None else self.candidate.target


def make_variants(
    request: Request,
    samples: Sequence[Sample],
    workbench: Workbench,
    judge: Judge | None,
    progress: Progress,
) -> list[Trial]:
    """All trials of the precisions beside FP32, in the order of the schemes, engines' last."""
    wanted = [name for name in dict.fromkeys(request.precisions) if name != "fp32"]
    engines = list(dict.fromkeys(request.engines))
    if judge is None:
        note = "there is no gate to judge it by"
        names = [*wanted, *(variant_name(p, "portable", "tensorrt") for p in engines)]
        return [Trial(None, Attempt(name, "none", "refused", note=note)) for name in names]
    trials: list[Trial] = []
    for form in workbench.traced.forms if wanted or engines else ():
        graphs = _make_quantizable(workbench, samples, form)
        for precision in wanted:
            if form == "fused" and precision == "fp16":
                continue  # ONNX Runtime's CPU backend computes in float32 there and casts
            own = [scheme for scheme in SCHEMES if scheme.precision == precision]
            trials += _try_precision(own, graphs, workbench, judge, progress)
        for precision in engines:
            own = [scheme for scheme in ENGINE_SCHEMES if scheme.precision == precision]
            trials += _try_precision(own, graphs, workbench, judge, progress)
    return sorted(trials, key=lambda trial: trial.target == "tensorrt")


def _make_quantizable(
    workbench: Workbench, samples: Sequence[Sample], form: Form
) -> dict[str, Quantizable]:
    """Graphs with the ranges of real samples; heads see real embeddings in all presence sets."""
    traced = workbench.traced
    of_form = traced.graphs_of(form)
    deployment = traced.deployment
    chosen = samples[:: max(1, len(samples) // _MOST_CALIBRATION_SAMPLES)]
    graphs: dict[str, Quantizable] = {}
    embeddings: dict[str, FloatArray] = {}
    for name, modality in deployment.modalities.items():
        prepared = reference.prepare_all(modality, [sample[name] for sample in chosen])
        graph = of_form[encoder_name(name)]
        graphs[graph.name] = make_quantizable(graph, [{"sample": prepared}])
        embeddings[name] = traced.embed(name, prepared)
    for head in deployment.heads:
        names = deployment.head_modalities(head)
        feeds: list[Mapping[str, FloatArray]] = [
            head_feeds(names, embeddings, present)
            for present in head_sets(deployment, head, workbench.sets)
        ]
        graph = of_form[head_name(head)]
        graphs[graph.name] = make_quantizable(graph, feeds)
        if isinstance(deployment.heads[head], Generation):
            step = of_form[step_name(head)]
            said = _said_feeds(workbench, head, embeddings)
            graphs[step.name] = make_quantizable(step, said)
    return graphs


def _said_feeds(
    workbench: Workbench, name: str, embeddings: Mapping[str, FloatArray]
) -> list[Mapping[str, FloatArray]]:
    """What a generation's step is fed along greedy texts of a few samples, all modalities there."""
    traced = workbench.traced
    head = cast(Generation, traced.deployment.heads[name])
    few = {m: np.ascontiguousarray(e[:_SAID_SAMPLES]) for m, e in embeddings.items()}
    names = traced.deployment.head_modalities(name)
    memory = traced.answer(name, few, names)
    presence = head_feeds(names, few, names)["presence"]
    module = traced.modules[step_name(name)]
    return [
        {key: value.copy() for key, value in said.feeds.items()}
        for said in say(module, head, memory, presence, head.most_tokens)
    ]


def _try_precision(
    schemes: Sequence[Scheme],
    graphs: Mapping[str, Quantizable],
    workbench: Workbench,
    judge: Judge,
    progress: Progress,
) -> list[Trial]:
    """Trials of the schemes of one precision."""
    precision = variant_name(schemes[0].precision, form_of(graphs), schemes[0].target)
    trials: list[Trial] = []
    failed: list[tuple[float, int, Scheme]] = []
    seen: set[tuple[bytes, ...]] = {tuple(graph.graph.onnx for graph in graphs.values())}
    for done, scheme in enumerate(schemes):
        progress(f"gate {precision}", done, len(schemes))
        candidate = quantized(scheme, graphs)
        key = tuple(candidate.graphs.values())
        if key in seen:
            continue
        seen.add(key)
        attempt = Attempt(precision, scheme.name, "failed", layers=_layers(scheme, graphs))
        attempt.kept = candidate.kept
        reason = _why_not_loadable(candidate) if scheme.fragile else None
        try:
            attempt.scores = judge.judge(candidate) if reason is None else []
        except BackendError as error:
            reason = str(error)
        if reason is not None:
            attempt.outcome, attempt.note = "refused", reason
            trials.append(Trial(None, attempt))
            continue
        if all(score.passed for score in attempt.scores):
            attempt.outcome = "passed"
            trials.append(Trial(candidate, attempt))
            if scheme.target == "tensorrt":
                break  # it is what is taken; the others are there for where it fails
        else:
            failed.append((worst_drop(attempt.scores), len(trials), scheme))
            attempt.note = _why(attempt)
            trials.append(Trial(None, attempt))
    progress(f"gate {precision}", len(schemes), len(schemes))
    if not trials:
        note = "there is nothing in these graphs to store in fewer bits"
        return [Trial(None, Attempt(precision, "none", "refused", note=note))]
    passed = any(trial.candidate is not None for trial in trials)
    beside = _REPAIRS_BESIDE_A_PASS if schemes[0].target == "onnxruntime" else 0
    for tried, (_, _, scheme) in enumerate(sorted(failed)):
        if passed and tried >= beside:
            break
        trial = _repaired(scheme, graphs, workbench, judge, progress)
        trials.append(trial)
        passed = passed or trial.candidate is not None
    return trials


def _repaired(
    scheme: Scheme,
    graphs: Mapping[str, Quantizable],
    workbench: Workbench,
    judge: Judge,
    progress: Progress,
) -> Trial:
    result = repair(scheme, graphs, workbench, judge, progress)
    attempt = Attempt(
        precision=variant_name(scheme.precision, form_of(graphs), scheme.target),
        scheme=scheme.name,
        outcome="repaired" if result.candidate is not None else "refused",
        scores=result.scores,
        kept=(*forced(scheme, graphs), *result.kept),
        layers=_layers(scheme, graphs),
    )
    if result.candidate is None:
        attempt.note = (
            f"{_why(attempt)}, with {len(result.kept)} of {attempt.layers} layers left in float"
            if result.scores
            else "no layer can be left in float without leaving all"
        )
    return Trial(result.candidate, attempt)


def _why_not_loadable(candidate: Candidate) -> str | None:
    models = dict.fromkeys((*candidate.graphs.values(), *candidate.runnable.values()))
    return why_not_loadable(models, optimized=candidate.target == "onnxruntime")


def _layers(scheme: Scheme, graphs: Mapping[str, Quantizable]) -> int:
    return sum(len(scheme.layers(graph)) for graph in graphs.values())


def _why(attempt: Attempt) -> str:
    worst = max((s for s in attempt.scores if not s.passed), key=lambda score: score.drop)
    return (
        f"{worst.metric} of head {worst.head} with {', '.join(worst.presence)} drops by "
        f"{worst.drop:.4g} to {worst.value:.4g}"
    )
