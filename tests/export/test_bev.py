"""The bird's-eye view bundle: its parts are what they say, its forms agree, absence is borne."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import plait
from plait import doctor
from plait_export import Deployment, agreement, export, ops
from plait_export.graphs import relative_error
from plait_export.zoo import bev
from plait_export.zoo.bev_geometry import (
    CAMERAS,
    Scale,
    camera_to_vehicle,
    cells_of_rays,
    lidar_to_vehicle,
    sweep,
)
from plait_export.zoo.bev_net import LidarEncoder
from tests.cases.zoo_engines import PRECISIONS, build_for_three

SMALL = Scale(image=(32, 64), cells=16, bins=11, pillars=32, points=1500, channels=7)


def test_a_cell_lies_where_its_ray_goes() -> None:
    scale = replace(SMALL, image=(96, 160), stride=8, cells=64, bins=40)
    cells = cells_of_rays(scale)
    assert cells.shape == (6, 40, 12, 20)
    side = 2.0 * scale.reach / scale.cells
    for camera, degrees in enumerate(CAMERAS.values()):
        seen = cells[camera][cells[camera] >= 0]
        row, column = np.divmod(seen, scale.cells)
        x, y = (column + 0.5) * side - scale.reach, (row + 0.5) * side - scale.reach
        off = (np.rad2deg(np.arctan2(y, x)) - degrees + 180.0) % 360.0 - 180.0
        far = np.hypot(x, y) > 5.0  # near the car a cell is wider than the view
        assert far.sum() > 100
        assert np.abs(off[far]).max() < 35.0 + np.rad2deg(side / 5.0) + 5.0
        assert abs(np.median(off[far])) < 5.0


def test_mountings_turn_without_stretching() -> None:
    for matrix in (lidar_to_vehicle(), *map(camera_to_vehicle, CAMERAS.values())):
        np.testing.assert_allclose(matrix[:, :3] @ matrix[:, :3].T, np.eye(3), atol=1e-12)
        assert np.linalg.det(matrix[:, :3]) == pytest.approx(1.0)


def test_a_sweep_stands_on_the_road(generator: np.random.Generator) -> None:
    cloud = sweep(generator)
    assert cloud.shape == (32000, 5)
    there = np.isfinite(cloud[:, 0])
    assert 0.3 < there.mean() < 1.0
    height = cloud[there, 2] + 1.8
    assert height.min() > -0.1 and (np.abs(height) < 0.05).mean() > 0.3


def test_the_canvas_holds_the_largest_feature_of_each_pillar(
    generator: np.random.Generator,
) -> None:
    encoder = LidarEncoder(SMALL).eval()
    cloud = np.full((SMALL.points, 4), np.nan, np.float32)
    count = int(generator.integers(500, SMALL.points))
    cloud[:count, :2] = generator.uniform(-51.2, 51.2, (count, 2))
    cloud[:count, 2:] = generator.uniform(-3.0, 3.0, (count, 2))
    with torch.no_grad():
        canvas = encoder.canvas(torch.from_numpy(cloud)).numpy()
    weight, bias = (p.detach().numpy().astype(np.float64) for p in encoder.embed.parameters())
    expected = np.zeros_like(canvas, dtype=np.float64)
    points = cloud[:count].astype(np.float64)
    side = np.float32(2.0 * SMALL.reach / SMALL.pillars)
    column, row = np.floor((cloud[:count, :2] + np.float32(SMALL.reach)) / side).astype(int).T
    for cell in set(zip(row, column, strict=True)):
        members = points[(row == cell[0]) & (column == cell[1])]
        relative = members[:, :3] - members[:, :3].mean(axis=0)
        raw = np.concatenate([members[:, :3] / SMALL.reach, members[:, 3:], relative], axis=1)
        expected[:, cell[0], cell[1]] = np.maximum(raw @ weight.T + bias, 0.0).max(axis=0)
    np.testing.assert_allclose(canvas, expected, atol=1e-4)


NEEDED = ("front_right", "back", "back_left", "back_right")


def deployment() -> Deployment:
    """The zoo's, but that some cameras may not be missing: of 127 presence sets 8 are left."""
    described = bev.deployment(SMALL)
    return replace(
        described,
        modalities={
            name: replace(modality, when_missing="refuse") if name in NEEDED else modality
            for name, modality in described.modalities.items()
        },
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("bev") / "bev.plait"
    others = bev.examples(SMALL, seed=1, count=2)
    export(
        deployment(),
        path,
        samples=bev.examples(SMALL),
        gate=agreement(deployment(), others, max_drop=0.05),
        precisions=("fp32",),
        engines=("fp16", "int8"),
    )
    return path


def test_both_forms_are_in_the_bundle_and_agree(
    bundle: Path, generator: np.random.Generator
) -> None:
    portable, fused = (plait.load(bundle, precision=name) for name in ("fp32", "fp32_fused"))
    for absent in ((), ("lidar",), ("front", "front_left")):
        scene = {**bev.example(SMALL, generator), **dict.fromkeys(absent)}
        answers = [model(**scene)["objects"].output for model in (portable, fused)]
        assert answers[0] is not None and answers[1] is not None
        assert answers[0].shape == (bev.CLASSES, SMALL.cells, SMALL.cells)
        assert relative_error(answers[1], answers[0]) < 1e-4


def test_the_core_answers_as_torch(bundle: Path, generator: np.random.Generator) -> None:
    model = plait.load(bundle, precision="fp32_fused")
    described = deployment()
    scene = bev.example(SMALL, generator)
    embeddings = []
    for name, modality in described.modalities.items():
        module = modality.encoder.eval()
        prepared = torch.from_numpy(np.array(model.prepare(name, scene[name])))
        with torch.no_grad(), ops.portable():
            embeddings.append(module(prepared))
    head = described.heads["objects"].module.eval()
    with torch.no_grad(), ops.portable():
        expected = head(*embeddings, torch.ones(1, 7))[0].numpy()
    answer = model(**scene)["objects"].output
    assert answer is not None
    assert relative_error(answer, expected) < 1e-4


def test_the_bundle_replays_its_golden_data(bundle: Path) -> None:
    assert doctor.replay(bundle).ok


def test_every_graph_becomes_an_engine_for_three_targets(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that scatter too: the exporter writes their reductions out for TensorRT's parser."""
    answer = build_for_three(bundle, tmp_path, capsys)
    named = {(one["graph"], one["precision"]) for one in answer["engines"]}
    scattering = {"lidar_encoder", "objects_head"}
    assert named >= {(graph, precision) for graph in scattering for precision in PRECISIONS}
