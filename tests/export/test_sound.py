"""Microphones beside a signal, the whole way: description, export, golden data, doctor, C++."""

from __future__ import annotations

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
from numpy.typing import NDArray

import plait
from plait.doctor import replay
from plait.kinds.sound import lines as sound_lines
from plait_export import Deployment, ExportReport, reference
from plait_export.graphs import relative_error
from plait_export.samples import check_samples
from tests.cases.rebundle import Manifest, edit_array, read_manifest, rebundle
from tests.cases.sound_bundle import (
    Sample,
    export_sound_bundle,
    raw_samples,
    sound_deployment,
)

PAGE = Path(__file__).parents[2] / "docs" / "sensors.md"
PROGRAM = Path(__file__).parents[1] / "cases" / "prepare_sound.cpp"


@dataclass(frozen=True)
class Microphones:
    """The bundle and what it was made from. Never write to it."""

    path: Path
    deployment: Deployment
    held_out: list[Sample]
    report: ExportReport


@pytest.fixture(scope="module")
def microphones(tmp_path_factory: pytest.TempPathFactory) -> Microphones:
    seed = secrets.randbits(32)
    print(f"bundle seed {seed}")
    path = tmp_path_factory.mktemp("microphones") / "microphone.plait"
    return Microphones(path, *export_sound_bundle(path, seed))


def sound_of(manifest: Manifest, modality: str) -> dict[str, Any]:
    section: dict[str, Any] = next(
        m["sound"] for m in manifest["modalities"] if m["name"] == modality
    )
    return section


def test_every_presence_set_was_judged_in_every_precision(microphones: Microphones) -> None:
    rows = {(tuple(row["presence"]), row["precision"]) for row in microphones.report.quality}
    assert len(rows) == 15 * len({precision for _, precision in rows})
    sets = {present for present, _ in rows}
    assert ("room",) in sets and ("room", "phone", "voice", "gyroscope") in sets


def test_the_core_prepares_what_the_reference_prepares(
    microphones: Microphones, generator: np.random.Generator
) -> None:
    model = plait.load(str(microphones.path), precision="fp32")
    for _ in range(10):
        sample = raw_samples(generator)
        for name, modality in microphones.deployment.modalities.items():
            expected = reference.prepare(modality, sample[name])
            prepared = model.prepare(name, sample[name])
            assert prepared.shape == expected.shape == (1, *modality.input_shape())
            assert relative_error(prepared, expected) <= reference.bound(modality, expected), name


def test_a_stated_rate_is_converted_as_the_reference_does(
    microphones: Microphones, generator: np.random.Generator
) -> None:
    model = plait.load(str(microphones.path), precision="fp32")
    for name in ("room", "phone", "voice"):
        modality = microphones.deployment.modalities[name]
        for rate in (8000, 11025, 16000, 44100, 48000):
            values = np.concatenate([raw_samples(generator)[name], raw_samples(generator)[name]])
            expected = reference.prepare(modality, values, sample_rate_hz=rate)
            prepared = model.prepare(name, plait.Sound(values, rate))
            assert relative_error(prepared, expected) <= reference.bound(modality, expected), name


def test_an_untouched_bundle_replays(microphones: Microphones) -> None:
    diagnosis = replay(microphones.path)
    assert diagnosis.ok
    stages = {summary.stage for summary in diagnosis.stages}
    assert {"sample:room", "prepare:room", "prepare:phone", "encode:voice"} <= stages
    assert diagnosis.unchecked == ()


def test_only_logarithms_have_a_wider_bound(microphones: Microphones) -> None:
    tolerance = read_manifest(microphones.path)["golden"]["tolerance"]
    assert "prepare:voice" not in tolerance and "prepare:gyroscope" not in tolerance
    assert tolerance["prepare"] < tolerance["prepare:room"] < 1e-3
    assert tolerance["prepare"] < tolerance["prepare:phone"] < 1e-2


ALTERED: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("room", lambda sound: sound["mel"].update(scale="htk")),
    ("room", lambda sound: sound["mel"].update(norm="none")),
    ("room", lambda sound: sound["mel"].update(window="hamming")),
    ("room", lambda sound: sound["mel"].update(window="hann_symmetric")),
    ("room", lambda sound: sound["mel"].update(edges="zeros")),
    ("room", lambda sound: sound["mel"].update(high_hz=7600.0)),
    ("room", lambda sound: sound["mel"].update(spectrum="magnitude")),
    ("room", lambda sound: sound["mel"]["log"].update(kind="ln")),
    ("room", lambda sound: sound["mel"]["log"].update(range=4.0)),
    ("room", lambda sound: sound["sensor"].update(rate_hz=48000.0)),
    ("room", lambda sound: sound["resampler"].update(rolloff=0.5)),
    ("room", lambda sound: sound.update(channel=1)),
    ("room", lambda sound: sound.update(longer="first")),
    ("room", lambda sound: sound.update(mean=[-4.1])),
    ("phone", lambda sound: sound["mel"].update(window="hamming_symmetric")),
    ("phone", lambda sound: sound["mel"].update(remove_mean=False)),
    ("phone", lambda sound: sound["mel"].update(preemphasis=0.9)),
    ("phone", lambda sound: sound["mel"].update(lifter=0.0)),
    ("phone", lambda sound: sound["mel"].update(pad=1.0)),
    ("phone", lambda sound: sound.update(gain=1.0)),
    ("voice", lambda sound: sound.update(standardize=False)),
    ("voice", lambda sound: sound.update(shorter="zeros", longer="last")),
    ("voice", lambda sound: sound.update(channel=0)),
]


@pytest.mark.parametrize(("modality", "change"), ALTERED)
def test_an_altered_description_diverges_at_prepare(
    microphones: Microphones,
    tmp_path: Path,
    modality: str,
    change: Callable[[dict[str, Any]], object],
) -> None:
    def alter(manifest: Manifest) -> None:
        change(sound_of(manifest, modality))

    altered = rebundle(microphones.path, tmp_path / "altered.plait", manifest=alter)
    diagnosis = replay(altered, threads=1)
    assert diagnosis.first is not None
    assert diagnosis.first.stage == f"prepare:{modality}"
    assert all(check.ok for check in diagnosis.checks if check.stage != f"prepare:{modality}")
    assert any("mel scale" in cause for cause in diagnosis.causes)


def test_the_doctor_says_which_logarithm_it_is(microphones: Microphones, tmp_path: Path) -> None:
    def alter(manifest: Manifest) -> None:
        section = sound_of(manifest, "room")
        section["mel"]["log"].update(kind="ln", range=8.0 * np.log(10.0))
        section.update(mean=[0.0], std=[1.0])

    altered = rebundle(microphones.path, tmp_path / "altered.plait", manifest=alter)
    first = replay(altered, threads=1).first
    assert first is not None and "features = 9.2103 x reference -9.2103" in first.note


def test_a_golden_sound_of_another_type_or_shape_is_named(
    microphones: Microphones, tmp_path: Path
) -> None:
    member = read_manifest(microphones.path)["golden"]["cases"][0]["stages"]["sample:room"]
    for change, words in (
        (lambda array: array.astype(np.float64), "expected int16 or float32, got float64"),
        (lambda array: array[:, :1], "expected shape [frames, 2]"),
        (lambda array: array * np.float32(np.nan), "not finite"),
    ):
        altered = rebundle(
            microphones.path, tmp_path / "altered.plait", members={member: edit_array(change)}
        )
        first = replay(altered, threads=1).first
        assert first is not None and first.stage == "sample:room"
        assert words in first.note


def test_inspect_says_what_a_sound_is(microphones: Microphones) -> None:
    manifest = plait.Bundle(microphones.path).manifest
    for modality, said in (
        (
            "room",
            (
                "log-mel of 40 bands, NFT",
                "whisper",
                "6400 samples at 16000 Hz, 0.4 s",
                "mean of all",
                "2 channels at 44100 Hz",
                "hann",
                "reflect",
                "slaney scale",
                "log10",
                "range 8",
            ),
        ),
        ("phone", ("13 MFCC of 23 mel bands x 30 frames", "povey", "pre-emphasis 0.97", "32768")),
        ("voice", ("waveform", "channel 1", "zero mean and unit variance", "shorter: repeat")),
    ):
        text = "\n".join(sound_lines(sound_of(manifest, modality)))
        for words in said:
            assert words in text, (words, text)


def test_the_snippets_of_the_docs_run(
    microphones: Microphones, generator: np.random.Generator
) -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    said = [one for one in snippets if "plait.Sound" in one]
    streamed = [one for one in snippets if "feature_stream" in one]
    assert len(said) == len(streamed) == 1
    sample = raw_samples(generator)
    names: dict[str, Any] = {
        "plait": plait,
        "model": plait.load(str(microphones.path), threads=1),
        "stereo": sample["room"],
        "clip": _clip(generator),
        "planar": np.ascontiguousarray(sample["voice"].T),
        "chunks": np.array_split(sample["phone"], 7),
    }
    exec(compile(f"answer = {said[0]}\n{streamed[0]}", str(PAGE), "exec"), names)  # its own words
    presence = {"room": "fresh", "phone": "fresh", "voice": "fresh", "gyroscope": "absent"}
    assert names["answer"].presence == presence
    frames = (len(sample["phone"]) - 200) // 80 + 1
    assert np.concatenate(names["rows"]).shape == (frames, 13)


def _clip(generator: np.random.Generator) -> NDArray[np.int16]:
    return generator.integers(-9000, 9000, 15_000).astype(np.int16)


def test_cpp_prepares_and_answers_with_the_same_bits(
    microphones: Microphones, tmp_path: Path, generator: np.random.Generator
) -> None:
    sample = raw_samples(generator)
    for name in ("room", "phone", "voice"):
        sample[name].tofile(tmp_path / f"{name}.raw")
    package = Path(plait.cmake_dir()).parents[2]
    program = tmp_path / "prepare_sound"
    build = ["g++", "-std=c++20", "-Wall", "-Wextra", str(PROGRAM), "-o", str(program)]
    build += [f"-I{package / 'include'}", f"-L{package / 'lib'}", "-lplait"]
    subprocess.run([*build, f"-Wl,-rpath,{package / 'lib'}"], check=True)
    environment = {**os.environ, "PLAIT_ONNXRUNTIME": str(plait.find_onnxruntime())}
    files = [str(tmp_path / f"{name}.raw") for name in ("room", "phone", "voice")]
    command = [str(program), str(microphones.path), *files, str(tmp_path / "out.f32")]
    subprocess.run(command, check=True, env=environment)
    model = plait.load(str(microphones.path), precision="fp32", threads=1)
    scores = model(**{**sample, "gyroscope": None})["scene"].scores
    assert scores is not None
    expected = [model.prepare(name, sample[name]) for name in ("room", "phone", "voice")]
    python = np.concatenate([array.reshape(-1) for array in [*expected, scores]])
    assert np.fromfile(tmp_path / "out.f32", "<f4").tobytes() == python.tobytes()


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("room", np.zeros((9000, 2), np.float64), "int16, or of float32"),
        ("room", [[0.0, 0.0]], "int16, or of float32"),
        ("room", np.zeros(9000, np.float32), "shape [frames, 2]"),
        ("room", np.zeros((2, 9000), np.float32), "shape [frames, 2]"),
        ("room", np.full((9000, 2), np.inf, np.float32), "finite"),
        ("room", np.zeros((0, 2), np.float32), "at least 1 samples"),
        ("phone", np.zeros((1000, 2), np.int16), "shape [frames, 1] or [frames]"),
        ("phone", np.zeros(100, np.int16), "at least 200 samples"),
    ],
)
def test_a_sound_that_is_not_what_was_declared_is_refused(
    generator: np.random.Generator, name: str, values: Any, words: str
) -> None:
    sample = {**raw_samples(generator), name: values}
    with pytest.raises(plait.ConfigError) as refusal:
        check_samples(sound_deployment(0), cast(Any, [sample]), "calibration")
    assert words in str(refusal.value) and name in refusal.value.where
