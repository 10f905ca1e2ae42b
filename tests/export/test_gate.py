"""The gate lets through what holds, repairs what one layer spoils, and refuses the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import plait
from plait_export import (
    Classification,
    Deployment,
    ExportError,
    Gate,
    Request,
    accuracy,
    export,
    reference,
)
from plait_export.candidate import Candidate
from plait_export.evaluate import Workbench
from plait_export.gate import Score
from plait_export.judge import Judge
from plait_export.presence import presence_sets
from plait_export.progress import silent
from plait_export.samples import Sample, check_held_out
from plait_export.search import damage
from plait_export.trace import Traced, trace
from plait_export.variants import Trial, make_variants
from tests.export.conftest import Case
from tests.export.models import LABELS, Hostile, one_modality, raw_samples, signal


class Bench:
    """A hostile model with samples whose targets are what FP32 answers, with a margin."""

    def __init__(self, folder: Path, seed: int) -> None:
        torch.manual_seed(seed)
        generator = np.random.default_rng(seed)
        self.folder = folder
        self.deployment: Deployment = one_modality(Hostile(3, 6), 6)
        samples = raw_samples(self.deployment, generator, 660)
        candidates, self.samples = samples[60:], samples[:60]
        self._spread_answers(candidates)
        self.traced: Traced = trace(self.deployment, self.samples, silent)
        self.sets = presence_sets(self.deployment)
        logits = self.workbench(candidates).answers(self.fp32).outputs["activity", ("motion",)]
        ranked = np.sort(logits, axis=1)
        order = np.argsort(ranked[:, -2] - ranked[:, -1])
        answered = logits.argmax(axis=1)[order]
        # The clearest of each label in turn: the clearest of all might have one and the same.
        turn = [int(np.sum(answered[:i] == answered[i])) for i in range(len(answered))]
        clear = order[np.argsort(turn, kind="stable")][:200]
        self.held_out = [(candidates[i], int(logits[i].argmax())) for i in clear]
        chosen = self.workbench([candidates[i] for i in clear]).answers(self.fp32)
        self.scores = chosen.scores["activity", ("motion",)]

    def _spread_answers(self, samples: list[dict[str, NDArray[Any]]]) -> None:
        """Centres and scales the logits, so that random weights answer every label."""
        described = self.deployment.modalities["motion"]
        fusion = self.deployment.heads["activity"].module
        prepared = reference.prepare_all(described, [sample["motion"] for sample in samples])
        with torch.no_grad():
            embedding = described.encoder(torch.from_numpy(prepared))
            logits = fusion(embedding, torch.ones(len(samples), 1))
            mean, std = logits.mean(dim=0), logits.std(dim=0)
            output = cast(nn.Linear, fusion.output)
            output.weight.div_(std[:, None])
            output.bias.sub_(mean).div_(std)

    @property
    def fp32(self) -> Candidate:
        graphs = {name: graph.onnx for name, graph in self.traced.graphs.items()}
        return Candidate("fp32", "float", graphs)

    def workbench(self, samples: Sequence[Sample]) -> Workbench:
        return Workbench(self.traced, samples, self.sets, self.folder)

    def closeness(self, scores: NDArray[Any], targets: NDArray[Any]) -> float:
        """A metric that only FP32's own answers satisfy."""
        return -float(np.abs(scores - self.scores).max())

    def try_all(self, gate: Gate, precisions: tuple[str, ...] = ("fp32", "int8")) -> list[Trial]:
        held_out = check_held_out(self.deployment, gate.held_out)
        workbench = self.workbench(held_out.samples)
        judge = Judge(gate, workbench, held_out, self.fp32)
        request = Request(self.deployment, self.samples, gate, precisions)
        return make_variants(request, self.samples, workbench, judge, silent)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"hostile seed {seed}")
    return Bench(tmp_path_factory.mktemp("bench"), seed)


def test_one_hostile_layer_goes_back_to_float_and_is_named(bench: Bench) -> None:
    assert len({target for _, target in bench.held_out}) > 1
    trials = bench.try_all(Gate(accuracy, bench.held_out, max_drop=0.03))
    failed = [trial.attempt for trial in trials if trial.attempt.outcome == "failed"]
    repaired = [trial for trial in trials if trial.attempt.outcome == "repaired"]
    # Every scheme stores the hostile layer, so none passes as it is.
    assert len(failed) >= 4
    assert all("accuracy of head activity with motion drops by" in a.note for a in failed)
    assert not [trial for trial in trials if trial.attempt.outcome == "passed"]
    assert len(repaired) == 1
    attempt = repaired[0].attempt
    worst = attempt.kept[0]
    assert (worst.graph, worst.layer, worst.operator) == ("motion_encoder", "hostile.Gemm", "Gemm")
    assert all(worst.damage > 3 * layer.damage for layer in attempt.kept[1:])
    assert "worst: head activity with motion" in worst.to_json()["why"]
    assert len(attempt.kept) < attempt.layers
    assert all(score.drop <= 0.03 + 1e-9 for score in attempt.scores)
    assert repaired[0].candidate is not None
    assert repaired[0].candidate.graphs != bench.fp32.graphs


def test_what_no_layer_can_save_is_refused_and_said(bench: Bench) -> None:
    gate = Gate(bench.closeness, bench.held_out, max_drop=0.0)
    trials = bench.try_all(gate, ("fp32", "fp16", "int8"))
    assert {trial.attempt.precision for trial in trials} == {"fp16", "int8"}
    assert all(trial.candidate is None for trial in trials)
    refused = [trial.attempt for trial in trials if trial.attempt.outcome == "refused"]
    assert {attempt.precision for attempt in refused} == {"fp16", "int8"}
    assert all(attempt.note and not attempt.passed for attempt in refused)


def test_a_generous_gate_lets_all_schemes_through_unrepaired(bench: Bench) -> None:
    trials = bench.try_all(Gate(accuracy, bench.held_out, max_drop=1.0))
    assert {trial.attempt.outcome for trial in trials} == {"passed"}
    assert len({tuple(t.candidate.graphs.values()) for t in trials if t.candidate}) == len(trials)


def test_an_export_whose_int8_is_refused_writes_fp32_and_says_so(
    bench: Bench, tmp_path: Path
) -> None:
    report = export(
        bench.deployment,
        tmp_path / "refused.plait",
        samples=bench.samples,
        gate=Gate(bench.closeness, bench.held_out, max_drop=1e-5),
    )
    assert len(report.warnings) == 1
    assert "int8 was not written: closeness of head activity with motion" in report.warnings[0]
    manifest = plait.Bundle(str(tmp_path / "refused.plait")).manifest
    assert [variant["precision"] for variant in manifest["variants"]] == ["fp32"]
    assert {a["outcome"] for a in manifest["gate"]["attempts"]} == {"passed", "failed", "refused"}
    assert {row["precision"] for row in manifest["quality"]} == {"fp32"}


def test_without_a_gate_only_fp32_is_written(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "ungated.plait"
    report = export(bench.deployment, path, samples=bench.samples)
    assert report.warnings == ["int8 was not written: there is no gate to judge it by"]
    assert report.quality == []
    assert plait.load(str(path)).precision == "fp32"


def test_a_missed_minimum_writes_nothing(bench: Bench, tmp_path: Path) -> None:
    wrong = [(sample, (target + 1) % 3) for sample, target in bench.held_out]
    with pytest.raises(ExportError, match=r"accuracy of at least 0\.5, got 0 on 200"):
        export(
            bench.deployment,
            tmp_path / "missed.plait",
            samples=bench.samples,
            gate=Gate(accuracy, wrong, minimum=0.5),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_answers_otherwise_than_pytorch_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = bench.traced.modules["motion_encoder"]
    weights = dict(encoder.named_parameters())["module.last.weight"]
    held_out = check_held_out(bench.deployment, bench.held_out)
    workbench = bench.workbench(held_out.samples)
    gate = Gate(accuracy, bench.held_out)
    Judge(gate, workbench, held_out, bench.fp32)
    with torch.no_grad():
        weights.mul_(1.01)
    try:
        with pytest.raises(ExportError, match="PyTorch's answers within"):
            Judge(gate, workbench, held_out, bench.fp32)
    finally:
        with torch.no_grad():
            weights.div_(1.01)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (lambda scores, targets: float("nan"), "a finite number, got nan"),
        (lambda scores, targets: None, "a finite number, got TypeError"),
        (lambda scores, targets: scores @ targets, r"called with scores \[200, 3\]"),
    ],
)
def test_a_metric_that_gives_no_number_is_refused(bench: Bench, metric: Any, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        bench.try_all(Gate(metric, bench.held_out))


def test_the_core_and_pytorch_agree_on_every_sample_and_presence_set(
    case: Case, tmp_path: Path
) -> None:
    workbench = Workbench(case.traced, case.samples, case.sets, tmp_path)
    graphs = {name: graph.onnx for name, graph in case.traced.graphs.items()}
    answers = workbench.answers(Candidate("fp32", "float", graphs))
    assert len(answers.outputs) == 7 + 6 + 4
    assert max(workbench.errors_against_torch(answers).values()) < 1e-4
    some = workbench.answers(Candidate("fp32", "float", graphs), every=5)
    for key, outputs in some.outputs.items():
        np.testing.assert_array_equal(outputs, answers.outputs[key][::5])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": 3}, "a function"),
        ({"metric": {"other": accuracy}}, "metric for activity"),
        ({"max_drop": -0.1}, "max_drop"),
        ({"max_drop": float("nan")}, "max_drop"),
        ({"max_drop": {"other": 0.1}}, "max_drop for activity"),
        ({"minimum": {}}, "minimum for activity"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(
    bench: Bench, changes: dict[str, Any], words: str
) -> None:
    gate = Gate(**{"metric": accuracy, "held_out": bench.held_out, **changes})
    with pytest.raises(plait.ConfigError, match=words):
        Request(bench.deployment, bench.samples, gate).check()


@pytest.mark.parametrize("precisions", [(), ("int8",), ("fp32", "int4"), "fp32"])
def test_unknown_precisions_are_refused(bench: Bench, precisions: Any) -> None:
    with pytest.raises(plait.ConfigError, match="'fp32' and, as wanted, others"):
        Request(bench.deployment, bench.samples, None, precisions).check()


def test_a_drop_of_exactly_the_limit_passes(bench: Bench) -> None:
    values = iter([0.905, 0.9])
    gate = Gate(lambda scores, targets: next(values), bench.held_out[:5], max_drop=0.005)
    held_out = check_held_out(bench.deployment, gate.held_out)
    judge = Judge(gate, bench.workbench(held_out.samples), held_out, bench.fp32)
    scores: list[Score] = judge.judge(bench.fp32)
    assert 0.905 - 0.9 > 0.005
    assert [score.passed for score in scores] == [True]


def test_damage_is_relative_and_zero_for_the_same(generator: np.random.Generator) -> None:
    answers = generator.normal(size=(20, 3)).astype(np.float32)
    assert damage(answers, answers) == 0.0
    assert damage(answers * 1.1, answers) == pytest.approx(0.1, rel=1e-3)
    assert damage(answers * 1.1 * 50, answers * 50) == pytest.approx(0.1, rel=1e-3)
    assert damage(answers, np.zeros_like(answers)) > 0.0


class Nothing(nn.Module):
    """Encoder and head without a single weight."""

    def forward(self, embedding: Tensor, *presence: Tensor) -> Tensor:
        return embedding.mean(dim=2) if embedding.dim() == 3 else embedding * presence[0]


def test_a_model_without_layers_has_no_int8_and_is_told_so(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    deployment = Deployment(
        name="one",
        modalities={"motion": signal(Nothing(), 3, 37)},
        heads={"activity": Classification(Nothing(), labels=LABELS)},
    )
    samples = raw_samples(deployment, generator, 9)
    report = export(
        deployment,
        tmp_path / "one.plait",
        samples=samples,
        gate=Gate(accuracy, [(sample, 0) for sample in samples], max_drop=1.0),
    )
    assert report.warnings == [
        "int8 was not written: there is nothing in these graphs to store in fewer bits"
    ]
