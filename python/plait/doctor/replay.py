"""Golden replay: every stage is fed its golden input and compared with its golden answer.

Since each stage starts from golden data and not from the stage before it, one fault shows in one
stage: an altered mean in `prepare:M`, an altered weight in `encode:M` or `fuse:H`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import plait
from plait.doctor.causes import describe_prepared, usual_causes
from plait.doctor.diagnosis import Diagnosis, StageCheck
from plait.doctor.environment import Environment, environment
from plait.golden import (
    GoldenCase,
    golden_cases,
    golden_tokens,
    golden_tolerance,
    read_array,
    without_gaps,
)
from plait.kinds import kind_of

Progress = Callable[[str, int, int], None]
Array = NDArray[Any]

_KINDS = ("sample", "prepare", "load", "encode", "fuse", "tokens")
_INFINITE = float("inf")
# The same kernels on the same kind of CPU: what threads may change is far below this.
_DRIFT = 1e-3


def relative_error(answer: ArrayLike, reference: ArrayLike) -> float:
    """max|answer - reference| / max|reference|; infinite for another shape or non-finite values."""
    a = np.asarray(answer, dtype=np.float64)
    b = np.asarray(reference, dtype=np.float64)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return _INFINITE
    if a.size == 0:
        return 0.0
    scale = max(float(np.abs(b).max()), float(np.finfo(np.float32).tiny))
    return float(np.abs(a - b).max()) / scale


def replay(
    bundle: plait.Model | str | os.PathLike[str],
    *,
    precisions: Sequence[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    onnxruntime: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Replays the golden data of a bundle on this device, for every precision it holds.

    bundle: its path, or a loaded model, of which only the precision that it runs is replayed.
    precisions: only these; with device "tensorrt" None is those made for it, where there are any.
    device, threads, onnxruntime: as in plait.load.
    A precision that can't be loaded here diverges at the stage "load"; where none can be, the
    BackendError is raised. Raises BundleError for a file that is no intact bundle.
    """
    checks: list[StageCheck] = []
    if isinstance(bundle, plait.Model):
        path, models = bundle.path, [bundle]
    else:
        path = os.fspath(bundle)
        models, checks = _load(path, precisions, device, threads, onnxruntime)
    golden = _Golden(plait.Bundle(path))
    total = len(golden.cases) * (1 + len(models))
    done = 0
    confirmed: set[tuple[str, str]] = set()
    for case in golden.cases:
        for name, found in (
            ("prepare", _check_preparation(golden, models[0], case, confirmed)),
            *((model.precision, _check_inference(golden, model, case)) for model in models),
        ):
            checks.extend(found)
            done += 1
            if progress is not None:
                progress(f"replay {name}", done, total)
    checks = sorted(_attribute_to_samples(checks, confirmed), key=golden.place)
    return Diagnosis(
        bundle=path,
        backends={model.precision: model.backend for model in models},
        checks=tuple(checks),
        causes=usual_causes(checks),
        remarks=_drift(golden.manifest, checks, environment(onnxruntime)),
        unchecked=golden.unchecked(models, checks),
    )


def _load(
    path: str,
    precisions: Sequence[str] | None,
    device: str,
    threads: int | None,
    onnxruntime: str | os.PathLike[str] | None,
) -> tuple[list[plait.Model], list[StageCheck]]:
    variants = plait.Bundle(path).manifest["variants"]
    made_for_it = [v for v in variants if device == "tensorrt" and v.get("target") == device]
    names = precisions or [v["precision"] for v in made_for_it or variants]
    models: list[plait.Model] = []
    failures: list[StageCheck] = []
    first_error: plait.BackendError | None = None
    for name in names:
        try:
            model = plait.load(
                path, device, precision=name, threads=threads, onnxruntime=onnxruntime
            )
        except plait.BackendError as error:
            first_error = first_error or error
            failures.append(StageCheck("load", name, "", "backend", _INFINITE, 0.0, str(error)))
        else:
            models.append(model)
    if not models and first_error is not None:
        raise first_error
    return models, failures


class _Golden:
    """The golden data of one bundle: its arrays, each read once, and the order of its stages."""

    def __init__(self, bundle: plait.Bundle) -> None:
        self._bundle = bundle
        self._arrays: dict[str, Array] = {}
        self.manifest = manifest = bundle.manifest
        self.cases = golden_cases(manifest)
        self.modalities = {m["name"]: m for m in manifest["modalities"]}
        self._heads = [head["name"] for head in manifest["heads"]]
        precisions = [variant["precision"] for variant in manifest["variants"]]
        self._precisions = sorted(precisions, key=lambda name: name != "fp32")

    def array(self, member: str) -> Array:
        if member not in self._arrays:
            self._arrays[member] = read_array(self._bundle, member)
        return self._arrays[member]

    def tolerance(self, key: str) -> float:
        return golden_tolerance(self.manifest, key)

    def place(self, check: StageCheck) -> tuple[int, int, int]:
        """Sorts into pipeline order: by kind, then as the manifest lists things, fp32 first."""
        kind, _, name = check.stage.partition(":")
        among = self._heads if kind in ("fuse", "tokens") else list(self.modalities)
        return (
            _KINDS.index(kind),
            among.index(name) if name else -1,
            -1 if check.precision is None else self._precisions.index(check.precision),
        )

    def unchecked(
        self, models: Sequence[plait.Model], checks: Iterable[StageCheck]
    ) -> tuple[str, ...]:
        """In words: what the golden data of this bundle can't tell."""
        if not self.cases:
            return ("everything: the bundle holds no golden data",)
        done = {(check.stage, check.precision) for check in checks}
        names = list(self.modalities)
        wanted: list[tuple[str, str | None]] = [(f"prepare:{name}", None) for name in names]
        for model in models:
            wanted += [(f"encode:{name}", model.precision) for name in names]
            wanted += [(f"fuse:{name}", model.precision) for name in self._heads]
        return tuple(
            f"{stage}{f' in {precision}' if precision else ''}: no golden data"
            for stage, precision in wanted
            if (stage, precision) not in done
        )


def _check_preparation(
    golden: _Golden, model: plait.Model, case: GoldenCase, confirmed: set[tuple[str, str]]
) -> Iterator[StageCheck]:
    """The stages sample:M and prepare:M of a case.

    Adds (stage, case) to `confirmed` where prepare:M diverges and the encoder bears its reference
    out: it makes the golden embedding of the reference, and another of what was prepared.
    """
    for modality in case.presence:
        if (member := case.stages.get(f"sample:{modality}")) is None:
            continue
        array, described = golden.array(member), golden.modalities[modality]
        kind = kind_of(described)
        wrong = kind.wrong_with(described[described["kind"]], array)
        error = _INFINITE if wrong else 0.0
        yield StageCheck(f"sample:{modality}", None, case.name, "description", error, 0.0, wrong)
        if wrong or (member := case.stages.get(f"prepare:{modality}")) is None:
            continue
        comparison = _Comparison(
            StageCheck(
                f"prepare:{modality}",
                precision=None,
                case=case.name,
                against="reference",
                error=_INFINITE,
                tolerance=golden.tolerance(f"prepare:{modality}"),
            ),
            golden.array(member),
        )
        answer, check = comparison.run(model.prepare, modality, kind.sample_of(array))
        if answer is not None and not check.ok and not check.note:
            check = replace(check, note=describe_prepared(answer, comparison.reference, described))
            reference = comparison.reference
            if _encoder_confirms(golden, model, case, modality, reference=reference, answer=answer):
                confirmed.add((check.stage, check.case))
        yield check


def _encoder_confirms(
    golden: _Golden,
    model: plait.Model,
    case: GoldenCase,
    modality: str,
    *,
    reference: Array,
    answer: Array,
) -> bool:
    answers = case.stages if model.precision == "fp32" else case.precisions.get(model.precision, {})
    if (member := answers.get(f"encode:{modality}")) is None:
        return False
    if "encoder" not in golden.modalities[modality]:
        return False
    embedding, tolerance = golden.array(member), golden.tolerance(model.precision)
    of_reference, of_answer = (
        relative_error(model.encode_prepared(modality, np.asarray(prepared)), embedding)
        for prepared in (reference, answer)
    )
    return of_reference <= tolerance < of_answer


def _check_inference(golden: _Golden, model: plait.Model, case: GoldenCase) -> Iterator[StageCheck]:
    """The stages encode:M and fuse:H of a case in one precision."""
    if model.precision == "fp32":
        yield from _check_inference_against("reference", case.stages, golden, model, case)
    recorded = case.precisions.get(model.precision)
    if recorded is not None:
        yield from _check_inference_against("recorded", recorded, golden, model, case)


def _check_inference_against(
    against: str,
    answers: Mapping[str, str],
    golden: _Golden,
    model: plait.Model,
    case: GoldenCase,
) -> Iterator[StageCheck]:
    def comparison(stage: str) -> _Comparison:
        tolerance = golden.tolerance(model.precision)
        check = StageCheck(stage, model.precision, case.name, against, _INFINITE, tolerance)
        return _Comparison(check, golden.array(answers[stage]))

    embeddings: dict[str, Array | None] = dict.fromkeys(model.modalities)
    for modality in case.presence:
        stage, prepared = f"encode:{modality}", case.stages.get(f"prepare:{modality}")
        if stage not in answers:
            return
        embeddings[modality] = golden.array(answers[stage])
        if "encoder" not in golden.modalities[modality]:
            yield comparison(stage).run(_recall, model, golden, case, modality)[1]
        elif prepared is not None:
            run = comparison(stage).run(model.encode_prepared, modality, golden.array(prepared))
            yield run[1]
    for head in model.heads:
        if (stage := f"fuse:{head}") in answers:
            yield comparison(stage).run(_fuse, model, head, embeddings)[1]
        if (stage := f"tokens:{head}") in answers:
            yield _check_tokens(comparison(stage), model, head, embeddings)


def _recall(model: plait.Model, golden: _Golden, case: GoldenCase, modality: str) -> Array:
    """The embedding of a golden text out of the bank that stands in for an encoder."""
    sample = golden.array(case.stages[f"sample:{modality}"])
    return model.encode(modality, kind_of(golden.modalities[modality]).sample_of(sample))


def _fuse(model: plait.Model, head: str, embeddings: Mapping[str, Array | None]) -> Array:
    output = model.fuse(**embeddings)[head].output
    # No output: none of the head's modalities is present. The shape then tells.
    return np.empty(0, np.float32) if output is None else output[np.newaxis]


def _check_tokens(
    comparison: _Comparison, model: plait.Model, head: str, embeddings: Mapping[str, Array | None]
) -> StageCheck:
    """The greedy text of a generation; its error is the share of its tokens that are others."""
    described = next(h for h in model.manifest["heads"] if h["name"] == head)["generation"]
    pad, most = described["pad"], described["defaults"]["max_tokens"]

    def say() -> Array:
        return golden_tokens(model, head, model.fuse(**embeddings), most, pad)

    said, check = comparison.run(say)
    expected = comparison.reference
    if said is None or said.shape != expected.shape:
        return check
    others = np.flatnonzero(said[0] != expected[0])
    if len(others) == 0:
        return replace(check, error=0.0)
    first = int(others[0])
    return replace(
        check,
        error=len(others) / most,
        tolerance=0.0,
        note=f"token {first} is the first that differs: expected {expected[0, first]}, got "
        f"{said[0, first]}",
    )


@dataclass(frozen=True)
class _Comparison:
    """A stage about to be run, and what it should answer."""

    check: StageCheck
    reference: Array

    def run(self, stage: Callable[..., Array], *inputs: Any) -> tuple[Array | None, StageCheck]:
        """Runs the stage; its answer (None where it failed) and the check with error and note."""
        try:
            answer = stage(*inputs)
        except plait.Error as failure:
            return None, replace(self.check, note=f"failed: {failure}")
        note = ""
        gaps = self.check.stage.startswith("prepare:") and bool(np.isnan(self.reference).any())
        if answer.shape != self.reference.shape:
            note = f"expected shape {list(self.reference.shape)}, got {list(answer.shape)}"
        elif not gaps and not np.isfinite(answer).all():
            note = "the answer holds values that are not finite"
        elif not gaps and not np.isfinite(self.reference).all():
            note = "the golden value holds values that are not finite"
        compared = without_gaps(answer, self.reference) if gaps else (answer, self.reference)
        return answer, replace(self.check, error=relative_error(*compared), note=note)


def _drift(
    manifest: Mapping[str, Any], checks: Iterable[StageCheck], around: Environment
) -> tuple[str, ...]:
    """In words: what keeps a wide tolerance, but differs where it should hardly do so.

    Another CPU may answer several percent off in int8, and the tolerance allows that. On the kind
    of machine that made the bundle so much is a change: of a weight, or of a golden value.
    """
    lineage = manifest.get("lineage", {})
    made_on = lineage.get("machine", {}).get("cpu")
    made_with = lineage.get("packages", {}).get("onnxruntime")
    if (made_on, made_with) != (around.cpu, around.onnxruntime):
        return ()
    worst: dict[tuple[str, str | None], float] = {}
    for check in checks:
        if check.against == "recorded" and check.ok and check.error > _DRIFT:
            key = (check.stage, check.precision)
            worst[key] = max(worst.get(key, 0.0), check.error)
    return tuple(
        f"{stage} in {precision} is {error:.2g} off what was recorded: within its tolerance, but "
        f"the bundle was made on this kind of CPU with this ONNX Runtime"
        for (stage, precision), error in worst.items()
    )


def _attribute_to_samples(
    checks: Sequence[StageCheck], confirmed: set[tuple[str, str]]
) -> list[StageCheck]:
    """Tells an altered golden sample from altered preprocessing; both show in prepare:M.

    It is the sample where the same preprocessing is right on at least as many cases as it is not,
    and the reference of this case is confirmed by the encoder. (On a few it may be right by chance:
    a frame that fills its letterbox does not show the padding.)
    """
    balance = Counter(check.stage for check in checks if check.ok)
    balance.subtract(check.stage for check in checks if not check.ok)
    right = {stage for stage, count in balance.items() if count >= 0}
    altered = {
        (check.stage.replace("prepare:", "sample:"), check.case): check
        for check in checks
        if (check.stage, check.case) in confirmed and check.stage in right
    }
    return [
        replace(
            check,
            against="reference",
            error=altered[key].error,
            tolerance=altered[key].tolerance,
            note="prepares to something else than this case's reference, which the encoder "
            "confirms, while other cases prepare right",
        )
        if (key := (check.stage, check.case)) in altered
        else check
        for check in checks
    ]
