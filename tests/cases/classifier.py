"""Exports a deployment of one classification head on random samples: what test bundles share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from plait_export import Deployment, ExportReport, Gate, Lineage, accuracy, export

Sample = dict[str, Any]


def export_classifier(
    path: Path,
    deployment: Deployment,
    draw: Callable[[np.random.Generator], Sample],
    *,
    seed: int,
    labels: int,
) -> tuple[Deployment, list[Sample], ExportReport]:
    """In fp32 and int8, through a gate that lets everything pass: weights and targets are random.

    Returns also the samples that the gate judged by.
    """
    generator = np.random.default_rng(seed)
    samples = [draw(generator) for _ in range(20)]
    held_out = [(draw(generator), int(generator.integers(labels))) for _ in range(21)]
    report = export(
        deployment,
        path,
        samples=samples,
        gate=Gate(accuracy, held_out, max_drop=1.0),
        precisions=("fp32", "int8"),
        lineage=Lineage(data={"name": "random samples", "license": "none"}, split={"seed": seed}),
    )
    return deployment, [sample for sample, _ in held_out], report
