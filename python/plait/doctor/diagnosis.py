"""What a golden replay found: every comparison, summed up by stage, and the first that diverges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class StageCheck:
    """One stage, on one golden case, compared once.

    stage: "prepare:accelerometer"; precision: None where the stage has none (sample, prepare).
    against: "description" (the manifest), "reference" (PyTorch) or "recorded" (what this precision
    answered on the exporting machine). error: max|a - b| / max|b|; infinite where the stage failed.
    """

    stage: str
    precision: str | None
    case: str
    against: str
    error: float
    tolerance: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


@dataclass(frozen=True)
class StageSummary:
    """A stage over all its cases: the worst error, and in how many cases it was too large."""

    stage: str
    precision: str | None
    against: str
    cases: int
    diverged: tuple[str, ...]
    error: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether no case diverged."""
        return not self.diverged


@dataclass(frozen=True)
class Diagnosis:
    """What a replay found.

    checks: in pipeline order. causes: of the first divergence. remarks: what is within its
    tolerance and yet odd. unchecked: what had no golden data.
    """

    bundle: str
    backends: Mapping[str, str]
    checks: tuple[StageCheck, ...]
    causes: tuple[str, ...]
    remarks: tuple[str, ...]
    unchecked: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether something was replayed and nothing diverged."""
        return bool(self.checks) and self.first is None

    @cached_property
    def first(self) -> StageCheck | None:
        """The worst check of the first stage that diverges, or None."""
        stage = next(((c.stage, c.precision) for c in self.checks if not c.ok), None)
        if stage is None:
            return None
        return max(
            (c for c in self.checks if not c.ok and (c.stage, c.precision) == stage),
            key=lambda check: check.error,
        )

    @cached_property
    def stages(self) -> tuple[StageSummary, ...]:
        """The checks summed up over the cases, in pipeline order."""
        groups: dict[tuple[str, str | None, str], list[StageCheck]] = {}
        for check in self.checks:
            groups.setdefault((check.stage, check.precision, check.against), []).append(check)
        return tuple(
            StageSummary(
                stage,
                precision,
                against,
                len(checks),
                tuple(check.case for check in checks if not check.ok),
                max(check.error for check in checks),
                checks[0].tolerance,
            )
            for (stage, precision, against), checks in groups.items()
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps; an infinite error becomes None."""
        first = self.first
        return {
            "bundle": self.bundle,
            "ok": self.ok,
            "first_divergent_stage": None if first is None else first.stage,
            "first": None if first is None else _plain(first),
            "causes": list(self.causes),
            "remarks": list(self.remarks),
            "unchecked": list(self.unchecked),
            "backends": dict(self.backends),
            "stages": [{**_plain(s), "diverged": list(s.diverged)} for s in self.stages],
            "checks": [_plain(check) for check in self.checks],
        }


def _plain(item: StageCheck | StageSummary) -> dict[str, Any]:
    error = item.error if np.isfinite(item.error) else None
    return {**asdict(item), "ok": item.ok, "error": error}
