"""Judges candidates for a gate by what the core answers, since that is what a device runs.

PyTorch is only what the FP32 bundle itself is held against.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from plait_export.candidate import Candidate
from plait_export.errors import ExportError
from plait_export.evaluate import Answers, Workbench
from plait_export.gate import Gate, Score
from plait_export.metrics import Metric, name_of
from plait_export.parity import LIMIT
from plait_export.presence import PresenceSet
from plait_export.samples import HeldOut

# A drop is a difference of rounded numbers: 0.905 - 0.9 is a little more than 0.005.
_ROUNDING = 1e-9


class Judge:
    """Holds the FP32 bundle's scores and judges candidates against them."""

    def __init__(
        self, gate: Gate, workbench: Workbench, held_out: HeldOut, fp32: Candidate
    ) -> None:
        self._gate = gate
        self._workbench = workbench
        self._held_out = held_out
        self.answers = workbench.answers(fp32)
        _check_against_torch(workbench, self.answers)
        self._values = self._measure(self.answers)
        self.baseline = self._scores(self._values)
        self._check_minimum()

    def judge(self, candidate: Candidate) -> list[Score]:
        """Every head and presence set of a candidate, on all held-out samples."""
        return self._scores(self._measure(self._workbench.answers(candidate)))

    def _measure(self, answers: Answers) -> dict[tuple[str, PresenceSet], float]:
        values = {}
        for (head, present), scores in answers.scores.items():
            metric = self._gate.metric_of(head)
            where = f"gate, metric {name_of(metric)}, head {head} with {', '.join(present)}"
            values[head, present] = _value(metric, scores, self._held_out.targets[head], where)
        return values

    def _scores(self, values: Mapping[tuple[str, PresenceSet], float]) -> list[Score]:
        scores = []
        for (head, present), value in values.items():
            drop = self._values[head, present] - value
            scores.append(
                Score(
                    head=head,
                    presence=present,
                    metric=name_of(self._gate.metric_of(head)),
                    value=value,
                    drop=drop,
                    samples=len(self._held_out.samples),
                    passed=drop <= self._gate.drop_of(head) + _ROUNDING,
                )
            )
        return scores

    def _check_minimum(self) -> None:
        complete = self._workbench.sets[0]
        for score in self.baseline:
            minimum = self._gate.minimum_of(score.head)
            if minimum is not None and score.presence == complete and score.value < minimum:
                raise ExportError(
                    where=f"gate, head {score.head} in FP32 with everything present",
                    expected=f"{score.metric} of at least {minimum:g}",
                    got=f"{score.value:.4g} on {score.samples} held-out samples",
                    action="Train longer, check that the held-out targets belong to their "
                    "samples, or lower the minimum.",
                )


def _value(metric: Metric, scores: NDArray[Any], targets: NDArray[Any], where: str) -> float:
    """What a user's metric says; its own mistakes are told as such."""
    cause: Exception | None = None
    try:
        value = float(metric(scores, targets))
    except Exception as error:
        cause, got = error, f"{type(error).__name__}: {error}"
    else:
        if math.isfinite(value):
            return value
        got = repr(value)
    raise ExportError(
        where=where,
        expected="a finite number",
        got=got,
        action=f"It was called with scores {list(scores.shape)} and targets {list(targets.shape)}.",
    ) from cause


def worst_drop(scores: Sequence[Score]) -> float:
    """How far the metric fell where it fell most."""
    return max(score.drop for score in scores)


def _check_against_torch(workbench: Workbench, answers: Answers) -> None:
    """The whole chain, prepared by the core, against PyTorch on every held-out sample."""
    for (head, present), error in workbench.errors_against_torch(answers).items():
        if not error <= LIMIT:
            raise ExportError(
                where=f"head {head} in FP32 with {', '.join(present)}",
                expected=f"PyTorch's answers within a relative error of {LIMIT:g}",
                got=f"{error:.3g} on the held-out samples",
                action="Run `plait doctor` on a bundle without a gate: it names the stage.",
            )
