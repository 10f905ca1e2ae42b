"""The command line: what each command prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait
from plait.cli.application import run
from tests.cases.rebundle import Manifest, read_manifest, rebundle, scale_array
from tests.cases.tiny_bundle import LABELS, RAW, raw_recording

Output = tuple[int, str, str]


class Plait:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Output:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return code, out, err

    def json(self, *arguments: object) -> Any:
        code, out, err = self(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plait:
    # A width, so that tables are not folded in the middle of what a test looks for.
    monkeypatch.setenv("COLUMNS", "200")
    return Plait(capsys)


def samples_of(recordings: dict[str, Path], *names: str) -> list[str]:
    return [part for name in names for part in ("--sample", f"{name}={recordings[name]}")]


def test_inspect_json_holds_manifest_quality_and_sizes(cli: Plait, tiny_bundle: Path) -> None:
    shown = cli.json("inspect", tiny_bundle)
    manifest = read_manifest(tiny_bundle)
    assert shown["manifest"] == manifest
    assert shown["quality"] == manifest["quality"]
    for row in shown["quality"]:
        assert {"presence", "precision", "metric", "value"} <= set(row)
    assert shown["sizes"]["file"] == tiny_bundle.stat().st_size
    assert sum(shown["sizes"]["members"].values()) == sum(
        member["bytes"] for member in manifest["members"].values()
    )


def test_inspect_shows_what_a_bundle_holds(cli: Plait, tiny_bundle: Path) -> None:
    code, out, err = cli("inspect", tiny_bundle)
    assert (code, err) == (0, "")
    for said in (*RAW, *LABELS, "fp32", "int8", "sensor gives y, -x, z in g", "random waves"):
        assert said in out
    some = read_manifest(tiny_bundle)["quality"][0]
    assert f"{some['value']:.4f}" in out


def test_run_answers_every_window_as_the_model_does(
    cli: Plait, tiny_bundle: Path, recordings: dict[str, Path]
) -> None:
    hop = 11
    code, out, _ = cli(
        "run", tiny_bundle, *samples_of(recordings, "accelerometer"), "--hop", hop,
        "--absent", "gyroscope", "--absent", "ecg", "--precision", "int8", "--threads", "1",
    )  # fmt: skip
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    columns = np.loadtxt(recordings["accelerometer"], delimiter=",", skiprows=1)
    values = columns[:, [0, 1, 2]]  # the file is in the sensor's order: y, -x, z
    assert len(lines) == (400 - 37) // hop + 1
    model = plait.load(tiny_bundle, precision="int8", threads=1)
    for number, line in enumerate(lines):
        window = values[number * hop : number * hop + 37]
        result = model(accelerometer=window, gyroscope=None, ecg=None)
        exercise = result["exercise"]
        assert exercise.scores is not None
        assert exercise.output is not None
        assert line["window"] == number
        assert line["time"] == pytest.approx((number * hop + 36) / 50.0)
        assert line["label"] == exercise.label
        assert line["scores"] == dict(zip(LABELS, exercise.scores.tolist(), strict=True))
        assert line["heads"]["exercise"]["output"] == exercise.output.tolist()
        assert line["heads"]["effort"]["label"] is None
        assert line["presence"] == {
            "accelerometer": "fresh",
            "gyroscope": "absent",
            "ecg": "absent",
        }
        assert line["timings"]["total_ns"] >= line["timings"]["encode_ns"]["accelerometer"] > 0


def test_run_prints_the_highest_scores_only_where_told(
    cli: Plait, tiny_bundle: Path, recordings: dict[str, Path]
) -> None:
    arguments = ["run", tiny_bundle, *samples_of(recordings, *RAW)]
    _, every, _ = cli(*arguments)
    code, highest, _ = cli(*arguments, "--top", "2")
    assert code == 0
    for line, short in zip(every.splitlines(), highest.splitlines(), strict=True):
        scores = json.loads(line)["scores"]
        best = sorted(scores.values(), reverse=True)[:2]
        assert list(json.loads(short)["scores"].values()) == best
        heads = json.loads(short)["heads"]
        assert heads["exercise"]["output"] is None
        assert heads["effort"]["output"] == json.loads(line)["heads"]["effort"]["output"]


def test_run_takes_modalities_of_different_rates(
    cli: Plait, tiny_bundle: Path, recordings: dict[str, Path]
) -> None:
    code, out, _ = cli("run", tiny_bundle, *samples_of(recordings, *RAW))
    assert code == 0
    times = [json.loads(line)["time"] for line in out.splitlines()]
    # The ECG's window is the last to be whole; then one accelerometer window after the other.
    np.testing.assert_allclose(times, 100 / 125 + np.arange(len(times)) * 37 / 50, atol=1e-9)
    assert times[-1] <= 7.98 < times[-1] + 37 / 50


def test_run_says_where_a_head_has_nothing_to_answer_from(
    cli: Plait, tiny_bundle: Path, recordings: dict[str, Path]
) -> None:
    absent = ["--absent", "accelerometer", "--absent", "ecg"]
    code, out, _ = cli("run", tiny_bundle, *samples_of(recordings, "gyroscope"), *absent)
    assert code == 0
    heads = json.loads(out.splitlines()[0])["heads"]
    assert heads["exercise"]["label"] in LABELS
    assert heads["effort"]["output"] is None


def test_run_resamples_a_recording_with_time_stamps(
    cli: Plait, tiny_bundle: Path, tmp_path: Path, generator: np.random.Generator
) -> None:
    stamps = np.cumsum(generator.integers(19_000_000, 21_000_000, size=150))
    values = raw_recording(generator, "accelerometer", 150)
    lines = ["timestamp_ns,x,y,z"]
    lines += [
        f"{t},{x!r},{y!r},{z!r}" for t, (y, x, z) in zip(stamps, values.tolist(), strict=True)
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    code, out, err = cli(
        "run", tiny_bundle, "--sample", f"accelerometer={tmp_path / 'a.csv'}",
        "--absent", "gyroscope", "--absent", "ecg", "--precision", "fp32", "--hop", "1000",
    )  # fmt: skip
    assert (code, err) == (0, "")
    line = json.loads(out)
    last = int(np.searchsorted(stamps, round(line["time"] * 1e9)))
    series = plait.Series(values[: last + 1].astype(np.float64), timestamps_ns=stamps[: last + 1])
    model = plait.load(tiny_bundle, precision="fp32")
    expected = model(accelerometer=series, gyroscope=None, ecg=None)["exercise"]
    assert expected.output is not None
    np.testing.assert_allclose(line["heads"]["exercise"]["output"], expected.output, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--absent", "ecg"], 2, "modality accelerometer: expected either a source or --absent"),
        (["--sample", "sonar=a.npy"], 2, "expected one of accelerometer, gyroscope, ecg"),
        (["--absent", "sonar"], 2, "got sonar"),
        (["--sample", "accelerometer"], 2, "expected NAME=FILE"),
        ([p for m in RAW for p in ("--absent", m)], 2, "at least one source"),
        (["--hop", "0"], 2, "--hop"),
        (["--sample", "accelerometer=none.npy"], 4, "none.npy"),
    ],
)
def test_run_refuses_what_makes_no_sense(
    cli: Plait, tiny_bundle: Path, arguments: list[str], code: int, said: str
) -> None:
    got, out, err = cli("run", tiny_bundle, *arguments)
    assert (got, out) == (code, "")
    assert said in err


def test_run_refuses_a_precision_the_bundle_lacks_and_a_sample_of_nan(
    cli: Plait, tiny_bundle: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "nan.npy", np.full((37, 3), np.nan, np.float32))
    arguments = ["run", tiny_bundle, "--sample", f"accelerometer={tmp_path / 'nan.npy'}"]
    arguments += ["--absent", "gyroscope", "--absent", "ecg"]
    code, out, err = cli(*arguments)
    assert (code, out) == (4, "")
    assert "accelerometer" in err
    code, out, err = cli(*arguments, "--precision", "int3")
    assert (code, out) == (2, "")
    assert "int3" in err


@pytest.mark.parametrize("command", ["inspect", "run", "doctor", "bench"])
def test_no_bundle_is_a_bundle_error(cli: Plait, tmp_path: Path, command: str) -> None:
    assert cli(command, tmp_path / "none.plait")[0] == 3
    (tmp_path / "text.plait").write_text("not a bundle, but long enough to look for one in it")
    code, out, err = cli(command, tmp_path / "text.plait")
    assert code == 3
    assert "text.plait" in err
    assert out == "" or command == "doctor"  # which shows the environment first


def test_usage_errors_are_code_2(cli: Plait) -> None:
    assert cli("dance")[0] == 2
    assert cli("inspect")[0] == 2
    assert cli("inspect", "a.plait", "--loud")[0] == 2


def test_doctor_is_silent_about_a_bundle_that_is_right(cli: Plait, tiny_bundle: Path) -> None:
    shown = cli.json("doctor", tiny_bundle)
    assert shown["ok"] is True
    assert shown["integrity"]["ok"] is True
    assert shown["replay"]["first_divergent_stage"] is None
    assert shown["environment"]["core"] == plait.version()
    code, out, _ = cli("doctor", tiny_bundle)
    assert code == 0
    assert "DIVERGED" not in out
    assert "Every stage answers" in out


def test_doctor_without_a_bundle_looks_at_the_device(cli: Plait) -> None:
    shown = cli.json("doctor")
    assert shown["replay"] is shown["integrity"] is None
    assert shown["environment"]["onnxruntime"]


def test_doctor_ends_with_1_and_names_the_stage(
    cli: Plait, tiny_bundle: Path, tmp_path: Path
) -> None:
    altered = rebundle(
        tiny_bundle,
        tmp_path / "altered.plait",
        members={"golden/1/encode.ecg.npy": scale_array(0.5)},
    )
    code, out, _ = cli("doctor", altered)
    assert code == 1
    assert "First stage that diverges: encode:ecg in fp32" in out
    assert "What usually causes it" in out
    code, out, _ = cli("doctor", altered, "--json")
    assert code == 1
    assert json.loads(out)["replay"]["first_divergent_stage"] == "encode:ecg"


def test_doctor_ends_with_3_where_a_member_is_damaged(
    cli: Plait, tiny_bundle: Path, tmp_path: Path
) -> None:
    data = bytearray(tiny_bundle.read_bytes())
    weights = bytes(plait.Bundle(tiny_bundle).read("graphs/ecg_encoder.fp32.onnx"))
    data[bytes(data).index(weights) + 50] ^= 4
    (tmp_path / "damaged.plait").write_bytes(data)
    code, out, _ = cli("doctor", tmp_path / "damaged.plait", "--json")
    assert code == 3
    shown = json.loads(out)
    assert shown["replay"] is None
    assert list(shown["integrity"]["damaged"]) == ["graphs/ecg_encoder.fp32.onnx"]


def test_doctor_ends_with_1_where_nothing_could_be_replayed(
    cli: Plait, tiny_bundle: Path, tmp_path: Path
) -> None:
    def alter(manifest: Manifest) -> None:
        manifest["golden"]["cases"] = []

    code, out, _ = cli("doctor", rebundle(tiny_bundle, tmp_path / "bare.plait", manifest=alter))
    assert code == 1
    assert "no golden data" in out


def test_version_and_cmake_dir(cli: Plait) -> None:
    assert cli("version") == (0, f"plait {plait.version()}\n", "")
    assert cli.json("version")["plait"] == plait.version()
    assert cli("cmake-dir") == (0, f"{plait.cmake_dir()}\n", "")
    assert cli.json("cmake-dir") == {"cmake_dir": plait.cmake_dir()}
