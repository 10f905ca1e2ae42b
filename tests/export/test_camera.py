"""Cameras beside a signal, the whole way: description, export, gate, golden data, doctor, C++."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

import plait
from plait.cli.application import run
from plait.doctor import replay
from plait.kinds.frame import lines as frame_lines
from plait_export import Deployment, ExportReport, Frame, reference
from plait_export.graphs import relative_error
from plait_export.samples import check_samples
from tests.cases.camera_bundle import (
    FrameEncoder,
    Sample,
    camera_deployment,
    export_camera_bundle,
    raw_samples,
)
from tests.cases.rebundle import Manifest, read_manifest, rebundle

PAGE = Path(__file__).parents[2] / "docs" / "sensors.md"
PROGRAM = Path(__file__).parents[1] / "cases" / "prepare_frame.cpp"
EXAMPLE = Path(__file__).parents[2] / "examples" / "cpp_app"


@dataclass(frozen=True)
class Cameras:
    """The bundle and what it was made from. Never write to it."""

    path: Path
    deployment: Deployment
    held_out: list[Sample]
    report: ExportReport


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Cameras:
    seed = secrets.randbits(32)
    print(f"bundle seed {seed}")
    path = tmp_path_factory.mktemp("cameras") / "camera.plait"
    return Cameras(path, *export_camera_bundle(path, seed))


def frame_of(manifest: Manifest, modality: str) -> dict[str, Any]:
    section: dict[str, Any] = next(
        m["frame"] for m in manifest["modalities"] if m["name"] == modality
    )
    return section


def test_every_presence_set_was_judged_in_every_precision(cameras: Cameras) -> None:
    rows = {(tuple(row["presence"]), row["precision"]) for row in cameras.report.quality}
    assert len(rows) == 7 * len({precision for _, precision in rows})
    assert {precision for _, precision in rows} >= {"fp32"}
    sets = {present for present, _ in rows}
    assert ("front",) in sets and ("front", "rear", "gyroscope") in sets


def test_the_core_prepares_what_the_reference_prepares(
    cameras: Cameras, generator: np.random.Generator
) -> None:
    model = plait.load(str(cameras.path), precision="fp32")
    for _ in range(10):
        sample = raw_samples(generator)
        for name, modality in cameras.deployment.modalities.items():
            expected = reference.prepare(modality, sample[name])
            prepared = model.prepare(name, sample[name])
            assert prepared.shape == expected.shape == (1, *modality.input_shape())
            assert relative_error(prepared, expected) <= reference.bound(modality, expected)


def test_an_untouched_bundle_replays(cameras: Cameras) -> None:
    diagnosis = replay(cameras.path)
    assert diagnosis.ok
    stages = {summary.stage for summary in diagnosis.stages}
    assert {"sample:front", "prepare:front", "prepare:rear", "encode:rear"} <= stages
    assert diagnosis.unchecked == ()


def test_only_what_is_not_exact_has_a_wider_bound(cameras: Cameras) -> None:
    tolerance = read_manifest(cameras.path)["golden"]["tolerance"]
    assert "prepare:front" not in tolerance and "prepare:gyroscope" not in tolerance
    assert tolerance["prepare"] < tolerance["prepare:rear"] < 0.01


ALTERED: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("front", lambda frame: frame.update(mean=[0.485, 0.456, 0.416])),
    ("front", lambda frame: frame.update(std=[0.229, 0.224, 0.235])),
    ("front", lambda frame: frame.update(channels="BGR")),
    ("front", lambda frame: frame["resize"].update(filter="bilinear")),
    ("front", lambda frame: frame["resize"].update(antialias=False) or frame.update(
        arithmetic="fast"
    )),
    ("front", lambda frame: frame["resize"].update(size=[38, 38])),
    ("front", lambda frame: frame["sensor"].update(format="rgb8")),
    ("rear", lambda frame: frame["resize"].update(filter="lanczos")),
    ("rear", lambda frame: frame["resize"].update(antialias=False)),
    ("rear", lambda frame: frame["sensor"].update(range="full")),
    ("rear", lambda frame: frame["resize"].update(pad=0)),
    ("rear", lambda frame: frame.update(mean=[0.05])),
]  # fmt: skip


@pytest.mark.parametrize(("modality", "change"), ALTERED)
def test_an_altered_description_diverges_at_prepare(
    cameras: Cameras,
    tmp_path: Path,
    modality: str,
    change: Callable[[dict[str, Any]], object],
) -> None:
    def alter(manifest: Manifest) -> None:
        change(frame_of(manifest, modality))

    altered = rebundle(cameras.path, tmp_path / "altered.plait", manifest=alter)
    diagnosis = replay(altered, threads=1)
    assert diagnosis.first is not None
    assert diagnosis.first.stage == f"prepare:{modality}"
    assert all(check.ok for check in diagnosis.checks if check.stage != f"prepare:{modality}")
    assert any("camera" in cause for cause in diagnosis.causes)


def test_the_doctor_says_by_how_much_a_mean_is_off(cameras: Cameras, tmp_path: Path) -> None:
    def alter(manifest: Manifest) -> None:
        frame_of(manifest, "front")["mean"][1] += 0.1 * 0.224

    altered = rebundle(cameras.path, tmp_path / "altered.plait", manifest=alter)
    first = replay(altered, threads=1).first
    assert first is not None and "channel G = 1 x reference -0.1" in first.note


def test_a_golden_frame_of_another_type_is_named(cameras: Cameras, tmp_path: Path) -> None:
    def alter(manifest: Manifest) -> None:
        case = manifest["golden"]["cases"][0]["stages"]
        case["sample:front"] = case["prepare:front"]

    altered = rebundle(cameras.path, tmp_path / "altered.plait", manifest=alter)
    first = replay(altered, threads=1).first
    assert first is not None and first.stage == "sample:front"
    assert "expected uint8" in first.note


def test_inspect_says_what_a_camera_is(cameras: Cameras) -> None:
    manifest = plait.Bundle(cameras.path).manifest
    front = "\n".join(frame_lines(frame_of(manifest, "front")))
    for words in ("RGB of 33 x 29", "bgr8", "shortest to 37 x 37", "bicubic", "exact"):
        assert words in front
    rear = "\n".join(frame_lines(frame_of(manifest, "rear")))
    for words in ("GRAY of 31 x 41", "nv12, bt601 limited", "padded with 114", "NHWC", "fast"):
        assert words in rear


def test_the_snippet_of_the_docs_runs(cameras: Cameras, generator: np.random.Generator) -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    of_cameras = [one for one in snippets if "plait.Frame(" in one or "_regions(" in one]
    assert len(of_cameras) == 2
    names: dict[str, Any] = {
        "plait": plait,
        "model": plait.load(str(cameras.path), threads=1),
        "bgr": generator.integers(0, 256, (480, 640, 3), dtype=np.uint8),
        "luma": np.zeros((500, 720), np.uint8),
        "chroma": np.zeros((250, 360, 2), np.uint8),
    }
    answered, regions = of_cameras
    exec(compile(f"answer = {answered}", str(PAGE), "exec"), names)  # the page's own words
    presence = {"front": "fresh", "rear": "fresh", "gyroscope": "absent"}
    assert names["answer"].presence == presence
    exec(compile(regions, str(PAGE), "exec"), names)
    assert names["crops"].shape == (2, 3, 33, 29) and names["embeddings"].shape == (2, 9)


def test_run_takes_a_picture_or_an_array_of_the_cameras_format(
    cameras: Cameras,
    tmp_path: Path,
    generator: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sample = raw_samples(generator)
    Image.fromarray(sample["front"][:, :, ::-1]).save(tmp_path / "front.png")
    np.save(tmp_path / "rear.npy", sample["rear"])
    np.save(tmp_path / "gyroscope.npy", np.tile(sample["gyroscope"], (3, 1)))
    said = ["run", str(cameras.path), "--precision", "fp32", "--threads", "1"]
    said += ["--sample", f"front={tmp_path / 'front.png'}"]
    said += ["--sample", f"rear={tmp_path / 'rear.npy'}"]
    model = plait.load(str(cameras.path), precision="fp32", threads=1)
    for rest, gyroscope, lines in (
        (["--absent", "gyroscope"], None, 1),
        (["--sample", f"gyroscope={tmp_path / 'gyroscope.npy'}"], sample["gyroscope"], 3),
    ):
        capsys.readouterr()
        assert run([*said, *rest]) == 0
        answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(answers) == lines
        expected = model(front=sample["front"], rear=sample["rear"], gyroscope=gyroscope)
        scores = expected["distance"].scores
        assert scores is not None
        for answer in answers:
            np.testing.assert_allclose(list(answer["scores"].values()), scores, rtol=1e-6)


def test_run_refuses_a_file_that_is_no_picture(cameras: Cameras, tmp_path: Path) -> None:
    (tmp_path / "front.png").write_bytes(b"no picture")
    for name in ("front.png", "missing.jpg", "missing.npy"):
        said = ["run", str(cameras.path), "--absent", "rear", "--absent", "gyroscope"]
        assert run([*said, "--sample", f"front={tmp_path / name}"]) == 4


def test_cpp_prepares_and_answers_with_the_same_bits(
    cameras: Cameras, tmp_path: Path, generator: np.random.Generator
) -> None:
    sample = raw_samples(generator)
    front, rear = sample["front"], sample["rear"]
    front.tofile(tmp_path / "front.raw")
    rear.tofile(tmp_path / "rear.raw")
    package = Path(plait.cmake_dir()).parents[2]
    program = tmp_path / "prepare_frame"
    build = ["g++", "-std=c++20", "-Wall", "-Wextra", str(PROGRAM), "-o", str(program)]
    build += [f"-I{package / 'include'}", f"-L{package / 'lib'}", "-lplait"]
    subprocess.run([*build, f"-Wl,-rpath,{package / 'lib'}"], check=True)
    environment = {**os.environ, "PLAIT_ONNXRUNTIME": str(plait.find_onnxruntime())}
    sizes = (front.shape[1], front.shape[0], rear.shape[1], rear.shape[0] * 2 // 3)
    width, height, rear_width, rear_height = map(str, sizes)
    arguments = [str(cameras.path), str(tmp_path / "front.raw"), width, height]
    arguments += [str(tmp_path / "rear.raw"), rear_width, rear_height, str(tmp_path / "out.f32")]
    subprocess.run([str(program), *arguments], check=True, env=environment)
    model = plait.load(str(cameras.path), precision="fp32", threads=1)
    scores = model(front=front, rear=rear, gyroscope=None)["distance"].scores
    assert scores is not None
    expected = [model.prepare("front", front), model.prepare("rear", rear), scores]
    python = np.concatenate([array.reshape(-1) for array in expected])
    assert np.fromfile(tmp_path / "out.f32", "<f4").tobytes() == python.tobytes()


def test_the_cpp_example_reads_pictures_and_raw_frames(
    cameras: Cameras, tmp_path: Path, generator: np.random.Generator
) -> None:
    program = build_example(tmp_path)
    frames = [raw_samples(generator) for _ in range(3)]
    front, rear = frames[0]["front"], frames[0]["rear"]
    noisy = [
        front,
        np.flipud(front).copy(),
        generator.integers(0, 256, front.shape, dtype=np.uint8),
    ]
    Image.fromarray(front[:, :, ::-1]).save(tmp_path / "front.ppm")
    np.stack(noisy).tofile(tmp_path / "front.bgr")
    np.stack([rear] * 3).tofile(tmp_path / "rear.nv12")
    grey = generator.integers(0, 256, (52, 39), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "rear.pgm")
    model = plait.load(str(cameras.path), precision="fp32", threads=1)
    rows, columns = front.shape[:2]
    raw_front = f"{tmp_path / 'front.bgr'}:{columns}x{rows}"
    raw_rear = f"{tmp_path / 'rear.nv12'}:{rear.shape[1]}x{rear.shape[0] * 2 // 3}"
    grey_frame = plait.Frame(grey, "gray8")
    for said, samples in (
        ((f"{tmp_path / 'front.ppm'}", raw_rear), [(front, rear)]),
        ((raw_front, raw_rear), [(each, rear) for each in noisy]),
        ((raw_front, f"{tmp_path / 'rear.pgm'}"), [(front, grey_frame)]),
    ):
        done = run_example(program, cameras.path, *said, out=tmp_path / "scores.f32")
        assert done.returncode == 0, done.stderr
        scores = np.fromfile(tmp_path / "scores.f32", "<f4").reshape(len(samples), -1)
        for row, (one, other) in zip(scores, samples, strict=True):
            expected = model(front=one, rear=other, gyroscope=None)["distance"].scores
            assert expected is not None and row.tobytes() == expected.tobytes()
    (tmp_path / "no.ppm").write_bytes(b"P3 2 2 255 1 2 3")
    for wrong, words in (
        (f"{tmp_path / 'no.ppm'}", "no binary PPM"),
        (f"{tmp_path / 'front.bgr'}:{columns + 1}x{rows}", "whole frames"),
        (f"{tmp_path / 'missing.ppm'}", "cannot read"),
    ):
        done = run_example(program, cameras.path, wrong, raw_rear, out=tmp_path / "none.f32")
        assert done.returncode == 1 and words in done.stderr


def build_example(folder: Path) -> Path:
    package = Path(plait.cmake_dir()).parents[2]
    sources = sorted(str(source) for source in EXAMPLE.glob("*.cpp"))
    program = folder / "cpp_app"
    build = ["g++", "-std=c++20", "-Wall", "-Wextra", *sources, "-o", str(program)]
    build += [f"-I{package / 'include'}", f"-L{package / 'lib'}", "-lplait"]
    subprocess.run([*build, f"-Wl,-rpath,{package / 'lib'}"], check=True)
    return program


def run_example(
    program: Path, bundle: Path, front: str, rear: str, *, out: Path
) -> subprocess.CompletedProcess[str]:
    command = [str(program), str(bundle), "--front", front, "--rear", rear]
    command += ["--absent", "gyroscope", "--precision", "fp32", "--threads", "1"]
    environment = {**os.environ, "PLAIT_ONNXRUNTIME": str(plait.find_onnxruntime())}
    command += ["--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": (0, 4)}, "size as (height, width)"),
        ({"size": 224}, "size as (height, width)"),
        ({"resize_size": (8.0, 8.0)}, "resize_size as"),
        ({"size": (9, 9), "resize_size": (8, 8)}, "inside resize_size"),
        ({"fit": "shortest", "size": (7, 8)}, "of the shorter side"),
        ({"fit": "letterbox", "resize_size": (32, 32)}, "no resize_size"),
        ({"fit": "longest"}, "fit as one of"),
        ({"format": "yuv"}, "format as one of"),
        ({"format": "nv12"}, "matrix as one of"),
        ({"format": "nv12", "matrix": "bt601"}, "range as one of"),
        ({"channels": "DEPTH"}, "only there"),
        ({"format": "gray16"}, "only there"),
        ({"filter": "area"}, "filter as one of"),
        ({"arithmetic": "exact", "antialias": False}, "arithmetic 'fast'"),
        ({"antialias": 1}, "antialias as True or False"),
        ({"pad": 256}, "level from 0 to 255"),
        ({"scale": 0.0}, "scale as a finite number"),
        ({"mean": (0.5,)}, "mean with one value for each of 3"),
        ({"std": (1.0, 0.0, 1.0)}, "finite std above 0"),
        ({"layout": "NCT"}, "layout as one of"),
        ({"crop_rounding": "up"}, "crop_rounding as one of"),
        ({"dtype": "float64"}, "dtype as one of"),
        ({"dtype": "uint8"}, "levels as they are"),
        ({"dtype": "uint8", "scale": 1.0, "std": (1.0, 1.0, 2.0)}, "levels as they are"),
        ({"dtype": "float16", "scale": 300.0}, "the largest float16"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    said: dict[str, Any] = {
        "encoder": FrameEncoder(3, 4),
        "size": (16, 16),
        "max_age_ms": 100.0,
        "when_missing": "mask",
    }
    Frame(**said).check("camera")
    with pytest.raises(plait.ConfigError) as refusal:
        Frame(**{**said, **changes}).check("camera")
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "frame", "words"),
    [
        ("front", np.zeros((9, 9), np.uint8), "[height, width, 3]"),
        ("front", np.zeros((9, 9, 3), np.float32), "uint8"),
        ("front", np.zeros((0, 9, 3), np.uint8), "[height, width, 3]"),
        ("front", [[0]], "uint8"),
        ("rear", np.zeros((10, 8), np.uint8), "even height and width"),
        ("rear", np.zeros((9, 7), np.uint8), "even height and width"),
    ],
)
def test_a_frame_that_is_not_the_declared_format_is_refused(
    generator: np.random.Generator, name: str, frame: Any, words: str
) -> None:
    sample = {**raw_samples(generator), name: frame}
    with pytest.raises(plait.ConfigError) as refusal:
        check_samples(camera_deployment(0), cast(Any, [sample]), "calibration")
    assert words in str(refusal.value) and name in refusal.value.where
