"""Point clouds beside a signal, the whole way: description, export, golden data, doctor."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait
from plait import ConfigError
from plait.cli.application import run
from plait.doctor import replay
from plait.golden import without_gaps
from plait.kinds.points import lines as points_lines
from plait_export import Deployment, ExportReport, Points, check_preparation, reference
from plait_export.graphs import relative_error
from plait_export.samples import check_samples
from tests.cases.points_bundle import (
    CloudEncoder,
    Sample,
    export_points_bundle,
    mounting,
    points_deployment,
    raw_samples,
)
from tests.cases.rebundle import edit_array, read_manifest, rebundle


@dataclass(frozen=True)
class Clouds:
    """The bundle and what it was made from. Never write to it."""

    path: Path
    deployment: Deployment
    held_out: list[Sample]
    report: ExportReport


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Clouds:
    seed = secrets.randbits(32)
    print(f"bundle seed {seed}")
    path = tmp_path_factory.mktemp("clouds") / "car.plait"
    return Clouds(path, *export_points_bundle(path, seed))


def test_the_core_prepares_what_the_reference_prepares(
    clouds: Clouds, generator: np.random.Generator
) -> None:
    model = plait.load(str(clouds.path), precision="fp32")
    for _ in range(40):
        sample = raw_samples(generator)
        for name in ("lidar", "radar"):
            modality = clouds.deployment.modalities[name]
            extrinsics = mounting(generator) if generator.random() < 0.5 else None
            expected = reference.prepare(modality, sample[name], extrinsics=extrinsics)
            prepared = model.prepare(name, plait.Points(sample[name], extrinsics))
            assert prepared.shape == expected.shape == (1, *modality.input_shape())
            assert np.array_equal(np.isnan(prepared), np.isnan(expected)), name
            limit = reference.bound(modality, expected)
            assert relative_error(*without_gaps(prepared, expected)) <= limit, name


def test_an_untouched_bundle_replays(clouds: Clouds) -> None:
    diagnosis = replay(clouds.path)
    assert diagnosis.ok
    stages = {summary.stage for summary in diagnosis.stages}
    assert {"sample:lidar", "prepare:lidar", "prepare:radar", "encode:lidar"} <= stages
    assert diagnosis.unchecked == ()


ALTERED: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("lidar", lambda points: points["sensor"].update(channels=["intensity", "y", "x", "z", "r"])),
    ("lidar", lambda points: points["sensor"].update(unit="cm")),
    ("lidar", lambda points: points["sensor"].pop("extrinsics")),
    ("lidar", lambda points: points["range"].update(lower=[-29.0, -19.0, -3.0])),
    ("lidar", lambda points: points.pop("range")),
    ("lidar", lambda points: points.update(overflow="first")),
    ("lidar", lambda points: points.update(mean=[0.0, 0.0, 0.0, 41.0])),
    ("lidar", lambda points: points.update(std=[1.0, 1.0, 1.01, 25.0])),
    ("radar", lambda points: points["sensor"].update(unit="m")),
    ("radar", lambda points: points.update(mean=[0.0, 0.0, 1.0, 0.0, 0.0])),
]


@pytest.mark.parametrize("altered", range(len(ALTERED)))
def test_the_doctor_names_what_was_altered(clouds: Clouds, tmp_path: Path, altered: int) -> None:
    name, alter = ALTERED[altered]

    def change(manifest: dict[str, Any]) -> None:
        alter(next(m["points"] for m in manifest["modalities"] if m["name"] == name))

    target = rebundle(clouds.path, tmp_path / "altered.plait", manifest=change)
    diagnosis = replay(target)
    assert not diagnosis.ok
    first = next(summary for summary in diagnosis.stages if not summary.ok)
    assert first.stage == f"prepare:{name}"


def test_the_doctor_sees_a_point_that_moved(clouds: Clouds, tmp_path: Path) -> None:
    stages = read_manifest(clouds.path)["golden"]["cases"][0]["stages"]

    def move(array: Any) -> Any:
        changed = array.copy()
        changed[0, 0, 0] += 0.5
        return changed

    edits = {stages["prepare:radar"]: edit_array(move)}
    target = rebundle(clouds.path, tmp_path / "moved.plait", members=edits)
    diagnosis = replay(target)
    first = next(summary for summary in diagnosis.stages if not summary.ok)
    assert first.stage in ("prepare:radar", "sample:radar")


def test_a_mounting_of_the_sample_takes_the_place_of_the_declared(
    clouds: Clouds, generator: np.random.Generator
) -> None:
    model = plait.load(str(clouds.path), precision="fp32")
    declared = read_manifest(clouds.path)["modalities"][0]["points"]["sensor"]["extrinsics"]
    cloud = raw_samples(generator)["lidar"]
    as_declared = model.prepare("lidar", cloud).copy()
    stated = model.prepare("lidar", plait.Points(cloud, declared)).copy()
    np.testing.assert_array_equal(stated, as_declared)


def test_lines_say_how_a_cloud_is_taken(clouds: Clouds) -> None:
    sections = {m["name"]: m.get("points") for m in read_manifest(clouds.path)["modalities"]}
    lidar, radar = ("\n".join(points_lines(sections[name])) for name in ("lidar", "radar"))
    assert "up to 11 points of x, y, z, intensity; more are thinned out evenly" in lidar
    assert "sensor gives intensity, x, y, z, ring in m" in lidar
    assert "mounted at" in lidar and "kept from [-30, -20, -4] to [40, 25, 6] m" in lidar
    assert "of more the first" in radar and "in mm" in radar and "mounted" not in radar


def described(**fields: Any) -> Points:
    return Points(
        **{
            "encoder": CloudEncoder(4, 3),
            "capacity": 7,
            "max_age_ms": 100.0,
            "when_missing": "mask",
            **fields,
        }
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"capacity": 0},
        {"capacity": 2.5},
        {"channels": ("x", "y")},
        {"channels": ("y", "x", "z")},
        {"channels": ("x", "y", "z", "x")},
        {"channels": 4},
        {"channels": ("x", "y", "z", *map(str, range(62)))},
        {"sensor_channels": ("x", "y", "z")},
        {"sensor_unit": "ft"},
        {"overflow": "last"},
        {"range": ((0, 0, 0), (1, 1, 0))},
        {"range": ((0, 0), (1, 1))},
        {"range": ((0, 0, 0), (1, 1, float("nan")))},
        {"range": 5},
        {"extrinsics": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
        {"extrinsics": [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]},
        {"extrinsics": [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]},
        {"extrinsics": [[1, 0, 0, float("inf")], [0, 1, 0, 0], [0, 0, 1, 0]]},
        {"extrinsics": "front"},
        {"mean": (1, 2, 3)},
        {"std": (1, 1, 1, 0)},
        {"max_age_ms": -1},
        {"when_missing": "guess"},
        {"encoder": None},
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refusal:
        described(**fields).check("modality lidar")
    assert "modality lidar" in refusal.value.where
    assert all((refusal.value.expected, refusal.value.got, refusal.value.action))


def test_what_makes_sense_is_taken() -> None:
    described().check("modality lidar")
    mirrored = [[0, 1, 0, 0.5], [1, 0, 0, 0], [0, 0, -1, 2]]
    described(extrinsics=mirrored, range=((-1, -1, -1), (1, 1, 1))).check("modality lidar")


@pytest.mark.parametrize(
    "cloud",
    [
        np.zeros((5, 4), np.float32),
        np.zeros((5, 5), np.float16),
        np.zeros((5, 5), np.int16),
        np.zeros(5, np.float32),
        [[0.0] * 5],
    ],
)
def test_a_sample_that_is_no_such_cloud_is_refused(
    cloud: Any, generator: np.random.Generator
) -> None:
    deployment = points_deployment(1)
    sample = {**raw_samples(generator), "lidar": cloud}
    with pytest.raises(ConfigError, match="modality lidar"):
        check_samples(deployment, [sample], "calibration")


def test_a_cloud_beyond_the_capacity_is_refused_at_export(generator: np.random.Generator) -> None:
    deployment = Deployment(
        name="one",
        modalities={"lidar": described()},
        heads=points_deployment(1).heads,
    )
    cloud = generator.normal(size=(8, 4))
    check_samples(deployment, [{"lidar": cloud[:7]}], "calibration")
    with pytest.raises(ConfigError, match="at most 7 points"):
        check_samples(deployment, [{"lidar": cloud}], "calibration")


def test_preparation_is_held_against_the_original(generator: np.random.Generator) -> None:
    matrix = mounting(generator)
    modality = described(capacity=50, extrinsics=matrix.tolist(), range=((-9,) * 3, (9,) * 3))

    def original(cloud: Any) -> Any:
        moved = np.concatenate([cloud[:, :3] @ matrix[:, :3].T + matrix[:, 3], cloud[:, 3:]], 1)
        inside = (np.abs(moved[:, :3]) < 9).all(axis=1)
        padded = np.full((50, 4), np.nan)
        padded[: inside.sum()] = moved[inside]
        return padded

    samples = [generator.normal(0, 5, (int(generator.integers(0, 50)), 4)) for _ in range(9)]
    check_preparation(modality, original, samples).require()
    report = check_preparation(described(capacity=50), original, samples)
    assert not report.ok


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_command_line_runs_a_cloud_and_a_folder_of_clouds(
    clouds: Clouds,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    generator: np.random.Generator,
) -> None:
    model = plait.load(clouds.path)
    sweeps = [raw_samples(generator)["lidar"] for _ in range(3)]
    capsys.readouterr()
    for index, cloud in enumerate(sweeps):
        cloud.astype("<f4").tofile(tmp_path / f"{index}.bin")
    absent = ["--absent", "radar", "--absent", "gyroscope"]
    assert run(["run", str(clouds.path), "--points", f"lidar={tmp_path}", *absent]) == 0
    for line, cloud in zip(lines_of(capsys), sweeps, strict=True):
        expected = model(lidar=cloud, radar=None, gyroscope=None)["object"]
        assert expected.output is not None
        assert line["heads"]["object"]["output"] == pytest.approx(expected.output.tolist())
        assert line["presence"]["lidar"] == "fresh"
    one = f"lidar={tmp_path / '1.bin'}"
    assert run(["run", str(clouds.path), "--sample", one, *absent, "--every", "1"]) == 0
    assert [line["label"] for line in lines_of(capsys)] == [
        model(lidar=sweeps[1], radar=None, gyroscope=None)["object"].label
    ]
