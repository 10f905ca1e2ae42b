"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plait.bench import BenchReport
from plait.doctor import Diagnosis, Environment


@dataclass(frozen=True)
class Evaluation:
    """Held-out recordings run through the core, in one presence set and precision.

    confusion: [classes, classes] counts; row: what it was, column: what was answered.
    """

    presence: tuple[str, ...]
    precision: str
    confusion: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        presence: Sequence[str],
        precision: str,
        truth: ArrayLike,
        answers: ArrayLike,
        classes: int,
    ) -> Evaluation:
        """truth, answers: [samples] of label indices below `classes`."""
        confusion = np.zeros((classes, classes), dtype=np.int64)
        np.add.at(confusion, (np.asarray(truth), np.asarray(answers)), 1)
        return cls(tuple(presence), precision, confusion)

    @property
    def samples(self) -> int:
        """How many were run."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """The share that was answered right; nan for none."""
        return float(np.trace(self.confusion)) / self.samples if self.samples else float("nan")

    @property
    def shares(self) -> NDArray[np.float64]:
        """The confusion by row: of what it was, which share was answered how. Empty rows are 0."""
        rows = self.confusion.sum(axis=1, keepdims=True)
        shares: NDArray[np.float64] = self.confusion / np.maximum(rows, 1)
        return shares


@dataclass(frozen=True)
class Identity:
    """The same samples through two faces of the core, compared bit for bit."""

    presence: tuple[str, ...]
    precision: str
    samples: int
    differing: int

    @property
    def ok(self) -> bool:
        """Whether every sample got the same bits."""
        return self.differing == 0 and self.samples > 0


@dataclass(frozen=True)
class Report:
    """All that the page shows.

    export: ExportReport.to_json(), or the `gate` part of a manifest. evaluations of head `head`.
    """

    manifest: Mapping[str, Any]
    bytes: int
    head: str
    evaluations: tuple[Evaluation, ...]
    identities: tuple[Identity, ...]
    bench: BenchReport
    diagnosis: Diagnosis
    environment: Environment
    export: Mapping[str, Any]

    @property
    def labels(self) -> list[str]:
        """Of the head."""
        return list(next(h["labels"] for h in self.manifest["heads"] if h["name"] == self.head))

    @property
    def modalities(self) -> list[str]:
        """In the bundle's order."""
        return [modality["name"] for modality in self.manifest["modalities"]]

    @property
    def default_precision(self) -> str:
        """What runs unless told otherwise."""
        return str(self.manifest["default_precision"])

    @property
    def presences(self) -> list[tuple[str, ...]]:
        """Evaluated presence sets, in order."""
        return list(dict.fromkeys(e.presence for e in self.evaluations))

    @property
    def precisions(self) -> list[str]:
        """Evaluated precisions, in order."""
        return list(dict.fromkeys(e.precision for e in self.evaluations))

    def evaluation(self, presence: tuple[str, ...], precision: str) -> Evaluation | None:
        """The one of a presence set and precision; None where it was not run."""
        return next(
            (e for e in self.evaluations if e.presence == presence and e.precision == precision),
            None,
        )

    def place_of(self, presence: tuple[str, ...]) -> int:
        """Sorts presence sets as they were evaluated; others come last."""
        presences = self.presences
        return presences.index(presence) if presence in presences else len(presences)

    def name_of(self, presence: Sequence[str]) -> str:
        """A presence set in words: "accelerometer + gyroscope"."""
        return " + ".join(presence) if presence else "nothing"
