"""Fused and portable forms of one deployment: both in the bundle, judged, recorded and run."""

from __future__ import annotations

import secrets
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import plait
from plait import ops
from plait.doctor import replay
from plait_export import (
    Classification,
    Deployment,
    Embedding,
    ExportReport,
    Gate,
    Signal,
    accuracy,
    export,
)
from plait_export.ops import gated_fusion
from tests.cases.rebundle import rebundle, scale_array
from tests.cases.tiny_bundle import Encoder

SIZE = 24
WINDOWS = {"left": 37, "right": 51}


class GatedHead(nn.Module):
    """Fuses two embeddings by gates that absence closes."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(SIZE, SIZE)
        self.norm = nn.LayerNorm(SIZE)
        self.output = nn.Linear(SIZE, 4)

    def forward(self, left: Tensor, right: Tensor, presence: Tensor) -> Tensor:
        tokens = torch.stack([left, right])
        here = presence.t().unsqueeze(-1)
        gate = torch.where(here > 0.0, self.gate(tokens), -100.0)
        fused = gated_fusion(gate, tokens * here, self.norm.weight, self.norm.bias, 1e-5)
        answer: Tensor = self.output(fused)
        return answer


def signal(window: int) -> Signal:
    return Signal(
        encoder=Encoder(3, SIZE),
        channels=("x", "y", "z"),
        unit="m/s^2",
        rate_hz=50.0,
        window=window,
        max_age_ms=100.0,
        when_missing="mask",
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    torch.manual_seed(secrets.randbits(32))
    deployment = Deployment(
        name="forms",
        description="Random weights; for tests.",
        modalities={name: signal(window) for name, window in WINDOWS.items()},
        heads={"activity": Classification(GatedHead(), ("rest", "walk", "run", "jump"))},
    )
    generator = np.random.default_rng(secrets.randbits(32))
    samples = [
        {
            name: generator.normal(size=(window, 3)).astype(np.float32)
            for name, window in WINDOWS.items()
        }
        for _ in range(40)
    ]
    path = tmp_path_factory.mktemp("forms") / "forms.plait"
    report = export(
        deployment,
        path,
        samples=samples,
        gate=Gate(
            held_out=[(sample, {"activity": int(generator.integers(4))}) for sample in samples],
            metric=accuracy,
            max_drop=0.25,
        ),
        precisions=("fp32", "int8"),
    )
    return path, report


def test_a_module_with_our_operators_is_written_in_both_forms(
    exported: tuple[Path, ExportReport],
) -> None:
    path, report = exported
    bundle = plait.Bundle(str(path))
    variants = {variant["precision"]: variant for variant in bundle.manifest["variants"]}
    assert {"fp32", "fp32_fused", "int8", "int8_fused"} == set(variants)
    for name, variant in variants.items():
        fused = name.endswith("_fused")
        assert variant["form"] == ("fused" if fused else "portable")
        with zipfile.ZipFile(path) as archive:
            head = onnx.load_from_string(archive.read(variant["members"]["activity_head"]))
        assert fused == any(node.domain == ops.DOMAIN for node in head.graph.node)
    rows = {(row["precision"], tuple(row["presence"])) for row in bundle.manifest["quality"]}
    assert {name for name, _ in rows} == set(variants)
    assert {row.form for row in report.parity} == {"portable", "fused"}


def test_both_forms_answer_alike_whoever_is_present(exported: tuple[Path, ExportReport]) -> None:
    path, _ = exported
    portable, fused = (plait.load(path, precision=name) for name in ("fp32", "fp32_fused"))
    generator = np.random.default_rng(secrets.randbits(32))
    for _ in range(5):
        sample = {
            name: generator.normal(size=(window, 3)).astype(np.float32)
            for name, window in WINDOWS.items()
        }
        for present in (("left", "right"), ("left",), ("right",)):
            given = {name: sample[name] if name in present else None for name in WINDOWS}
            np.testing.assert_allclose(
                fused(**given)["activity"].output,
                portable(**given)["activity"].output,
                rtol=1e-4,
                atol=1e-5,
            )


def test_doctor_replays_both_forms(exported: tuple[Path, ExportReport]) -> None:
    diagnosis = replay(exported[0])
    assert diagnosis.ok
    assert {"fp32_fused", "int8_fused"} <= set(diagnosis.backends)


def test_doctor_tells_a_wrong_operator_from_a_wrong_quantization(
    exported: tuple[Path, ExportReport], tmp_path: Path
) -> None:
    members = {"golden/0/fp32_fused/fuse.activity.npy": scale_array(1.5)}
    diagnosis = replay(rebundle(exported[0], tmp_path / "altered.plait", members=members))
    assert diagnosis.first is not None
    assert (diagnosis.first.stage, diagnosis.first.precision) == ("fuse:activity", "fp32_fused")
    assert any("Plait's own operators" in cause for cause in diagnosis.causes)
    assert not any("8-bit" in cause for cause in diagnosis.causes)


def test_many_threads_may_be_the_first_to_load_fused_graphs(
    exported: tuple[Path, ExportReport],
) -> None:
    program = """
import sys
from concurrent.futures import ThreadPoolExecutor
import plait
with ThreadPoolExecutor(8) as pool:
    models = list(pool.map(lambda _: plait.load(sys.argv[1], precision="fp32_fused"), range(8)))
print(len({model.precision for model in models}))
"""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program, str(exported[0])],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


class Sampling(nn.Module):
    """Deformable attention as published code spells it: a grid_sample for each level."""

    LEVELS = ((4, 9), (2, 5))

    def __init__(self) -> None:
        super().__init__()
        self.positions = sum(height * width for height, width in self.LEVELS)
        self.value = nn.Linear(3 * WINDOWS["left"], self.positions * 8)
        self.places = nn.Linear(3 * WINDOWS["left"], 6 * 2 * len(self.LEVELS) * 3 * 2)
        self.weights = nn.Linear(3 * WINDOWS["left"], 6 * 2 * len(self.LEVELS) * 3)
        self.output = nn.Linear(8, SIZE // 6)

    def forward(self, sample: Tensor) -> Tensor:
        flat = sample.flatten(1)
        batch = sample.shape[0]
        value = self.value(flat).reshape(batch, self.positions, 2, 4)
        places = self.places(flat).sigmoid().reshape(batch, 6, 2, len(self.LEVELS), 3, 2)
        weights = self.weights(flat).reshape(batch, 6, 2, -1).softmax(-1)
        grids, samples = 2.0 * places - 1.0, []
        maps = value.split([height * width for height, width in self.LEVELS], dim=1)
        for level, (height, width) in enumerate(self.LEVELS):
            level_map = maps[level].flatten(2).transpose(1, 2).reshape(batch * 2, 4, height, width)
            grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)
            samples.append(nn.functional.grid_sample(level_map, grid, align_corners=False))
        factors = weights.transpose(1, 2).reshape(batch * 2, 1, 6, -1)
        summed = (torch.stack(samples, dim=-2).flatten(-2) * factors).sum(-1)
        answer: Tensor = self.output(summed.view(batch, 8, 6).transpose(1, 2)).flatten(1)
        return answer


class Passing(nn.Module):
    """The one embedding, where it is present."""

    def forward(self, embedding: Tensor, presence: Tensor) -> Tensor:
        return embedding * presence


def test_what_a_module_spells_out_is_fused_as_well(tmp_path: Path) -> None:
    torch.manual_seed(secrets.randbits(32))
    modality = replace(signal(WINDOWS["left"]), encoder=Sampling())
    deployment = Deployment(
        name="spelt",
        description="Random weights; for tests.",
        modalities={"left": modality},
        heads={"direction": Embedding(Passing())},
    )
    generator = np.random.default_rng(secrets.randbits(32))
    samples = [
        {"left": generator.normal(size=(WINDOWS["left"], 3)).astype(np.float32)} for _ in range(8)
    ]
    report = export(deployment, tmp_path / "spelt.plait", samples=samples)
    with zipfile.ZipFile(tmp_path / "spelt.plait") as archive:
        encoder = onnx.load_from_string(archive.read("graphs/left_encoder.fp32_fused.onnx"))
    names = [node.op_type for node in encoder.graph.node if node.domain == ops.DOMAIN]
    assert names == ["MultiScaleDeformableAttention"]
    assert {row.form for row in report.parity} == {"portable", "fused"}
    portable, fused = (
        plait.load(tmp_path / "spelt.plait", precision=name) for name in ("fp32", "fp32_fused")
    )
    np.testing.assert_allclose(
        fused(**samples[0])["direction"].output,
        portable(**samples[0])["direction"].output,
        rtol=1e-4,
        atol=1e-5,
    )
