"""The gate: a smaller variant is let through only where it answers as well, in every presence set.

What it says of each candidate is kept, whether it was let through or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from plait import ConfigError
from plait_export.candidate import KeptLayer
from plait_export.describe import Deployment
from plait_export.metrics import Metric
from plait_export.presence import PresenceSet
from plait_export.samples import Sample


@dataclass(frozen=True)
class Gate:
    """What a variant has to hold, for every head and presence set.

    metric: a function (scores, targets) -> float, higher is better; or one a head by name.
    held_out: pairs (sample, target) the model was not trained on; target is one value, or a dict
        with one a head.
    max_drop: how much lower than FP32's the metric may be; or one a head by name.
    minimum: what FP32 has to reach with everything present, or nothing is written; or one a head
        by name.
    """

    metric: Metric | Mapping[str, Metric]
    held_out: Sequence[tuple[Sample, Any]]
    max_drop: float | Mapping[str, float] = 0.005
    minimum: float | Mapping[str, float] | None = None

    def check(self, deployment: Deployment) -> None:
        """Raises ConfigError where the gate makes no sense for these heads."""
        for what in ("metric", "max_drop", "minimum"):
            value = getattr(self, what)
            if isinstance(value, Mapping) and set(value) != set(deployment.heads):
                raise ConfigError(
                    where="gate",
                    expected=f"{what} for {', '.join(deployment.heads)}",
                    got=", ".join(map(str, value)) or "none",
                    action="Give one a head, or one for all.",
                )
        for head in deployment.heads:
            if not callable(self.metric_of(head)):
                raise ConfigError(
                    where="gate",
                    expected="a metric that is a function of (scores, targets)",
                    got=repr(self.metric_of(head)),
                    action="For instance plait_export.accuracy.",
                )
            if not self.drop_of(head) >= 0.0 or math.isinf(self.drop_of(head)):
                raise ConfigError(
                    where="gate",
                    expected="max_drop of at least 0",
                    got=repr(self.drop_of(head)),
                    action="0.005 lets half a point go.",
                )

    def metric_of(self, head: str) -> Metric:
        return self.metric[head] if isinstance(self.metric, Mapping) else self.metric

    def drop_of(self, head: str) -> float:
        drop = self.max_drop
        return float(drop[head] if isinstance(drop, Mapping) else drop)

    def minimum_of(self, head: str) -> float | None:
        return self.minimum[head] if isinstance(self.minimum, Mapping) else self.minimum


@dataclass(frozen=True)
class Score:
    """What a candidate reached with one head and presence set. drop: FP32's value less its own."""

    head: str
    presence: PresenceSet
    metric: str
    value: float
    drop: float
    samples: int
    passed: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Attempt:
    """One candidate the gate saw.

    outcome: "passed"; "repaired" (with `kept` left in float); "failed" (a repair may follow); or
    "refused", for the reason in `note`. layers: how many the scheme stores in 8 bits.
    median_us: of a whole call, where it passed. relative: its undisturbed time over FP32's, which
    is what is chosen by. chosen: it was written.
    """

    precision: str
    scheme: str
    outcome: str
    scores: list[Score] = field(default_factory=list)
    kept: tuple[KeptLayer, ...] = ()
    layers: int = 0
    note: str = ""
    median_us: float | None = None
    relative: float | None = None
    chosen: bool = False

    @property
    def passed(self) -> bool:
        return self.outcome in ("passed", "repaired")

    def to_json(self) -> dict[str, Any]:
        return {
            "precision": self.precision,
            "scheme": self.scheme,
            "outcome": self.outcome,
            "passed": self.passed,
            "scores": [score.to_json() for score in self.scores],
            "kept_fp32": [layer.to_json() for layer in self.kept],
            "layers": self.layers,
            "note": self.note,
            "median_us": self.median_us,
            "relative": self.relative,
            "chosen": self.chosen,
        }
