"""An encoder that takes float16 or uint8 is exported, judged, recorded and replayed as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import plait
from plait.doctor.replay import replay
from plait.kinds.frame import lines
from plait_export import Classification, Deployment, Frame, Gate, Lineage, accuracy, export
from tests.cases.tiny_bundle import Head

LABELS = ("near", "far")


class NarrowEncoder(nn.Module):
    """[batch, 3, height, width] of any type -> [batch, size]: converts, then normalises."""

    def __init__(self, size: int, dtype: torch.dtype, scale: float) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 11, kernel_size=5, stride=3)
        self.projection = nn.Linear(11, size)
        self.dtype = dtype
        self.scale = scale

    def forward(self, sample: Tensor) -> Tensor:
        assert sample.dtype == self.dtype
        features = torch.relu(self.convolution(sample.float() * self.scale)).mean(dim=(2, 3))
        projected: Tensor = self.projection(features)
        return projected


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    common: dict[str, Any] = {"size": (33, 29), "max_age_ms": 100.0, "when_missing": "learned"}
    deployment = Deployment(
        name="narrow",
        description="Random weights; for tests.",
        modalities={
            "levels": Frame(
                encoder=NarrowEncoder(7, torch.uint8, 1 / 255),
                arithmetic="exact",
                scale=1.0,
                dtype="uint8",
                **common,
            ),
            "halves": Frame(
                encoder=NarrowEncoder(5, torch.float16, 1.0),
                mean=(0.485, 0.456, 0.406),
                std=(0.229, 0.224, 0.225),
                dtype="float16",
                **common,
            ),
        },
        heads={"distance": Classification(Head((7, 5), len(LABELS)), labels=LABELS)},
    )
    generator = np.random.default_rng(5)
    samples = [
        {
            name: generator.integers(0, 256, (41, 50, 3), dtype=np.uint8)
            for name in ("levels", "halves")
        }
        for _ in range(24)
    ]
    path = tmp_path_factory.mktemp("narrow") / "narrow.plait"
    export(
        deployment,
        path,
        samples=samples[:12],
        gate=Gate(accuracy, [(s, i % 2) for i, s in enumerate(samples[12:])], max_drop=1.0),
        precisions=("fp32", "fp16", "int8"),
        lineage=Lineage(data={"name": "noise", "license": "none"}, split={"seed": 5}),
    )
    return path


def test_the_graphs_and_the_golden_inputs_are_of_the_declared_type(bundle: Path) -> None:
    manifest = plait.Bundle(bundle).manifest
    declared = {m["name"]: m["frame"]["dtype"] for m in manifest["modalities"]}
    assert declared == {"levels": "uint8", "halves": "float16"}
    inputs = {g["name"]: g["inputs"][0]["dtype"] for g in manifest["graphs"]}
    assert inputs["levels_encoder"] == "uint8" and inputs["halves_encoder"] == "float16"
    for modality in manifest["modalities"]:
        assert modality["frame"]["dtype"] in " ".join(lines(modality["frame"]))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_it_runs_in_every_precision(
    bundle: Path, precision: str, generator: np.random.Generator
) -> None:
    model = plait.load(bundle, precision=precision, threads=1)
    frame = generator.integers(0, 256, (60, 71, 3), dtype=np.uint8)
    assert model.prepare("levels", frame).dtype == np.uint8
    assert model.prepare("halves", frame).dtype == np.float16
    scores = model(levels=frame, halves=frame)["distance"].scores
    assert scores is not None and np.isfinite(scores).all()
    reference = plait.load(bundle, precision="fp32", threads=1)(levels=frame, halves=frame)
    np.testing.assert_allclose(scores, reference["distance"].scores, atol=0.05)


def test_the_doctor_finds_nothing_and_checks_everything(bundle: Path) -> None:
    diagnosis = replay(bundle)
    assert diagnosis.ok and diagnosis.unchecked == ()
    assert {"prepare:levels", "prepare:halves"} <= {stage.stage for stage in diagnosis.stages}
