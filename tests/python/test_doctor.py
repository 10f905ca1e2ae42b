"""The doctor names the stage that was altered: one altered, re-hashed bundle a stage and cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait
from plait.doctor import Diagnosis, check_integrity, environment, relative_error, replay
from tests.cases.rebundle import (
    Manifest,
    edit_array,
    read_manifest,
    rebundle,
    reverse_weight,
    scale_array,
    scale_weight,
    unshare_graphs,
)

MODALITIES = ("accelerometer", "gyroscope", "ecg")
HEADS = ("exercise", "effort")


@pytest.fixture(scope="module")
def tiny_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite's bundle, but no graph is shared between precisions. Never write to it."""
    return unshare_graphs(tiny_bundle, tmp_path_factory.mktemp("own") / "tiny.plait")


def signal_of(manifest: Manifest, modality: str) -> dict[str, Any]:
    signals: dict[str, dict[str, Any]] = {m["name"]: m["signal"] for m in manifest["modalities"]}
    return signals[modality]


def member_of(bundle: Path, precision: str, graph: str) -> str:
    variants = {v["precision"]: v for v in read_manifest(bundle)["variants"]}
    return str(variants[precision]["members"][graph])


def diagnosed(bundle: Path, stage: str, precision: str | None) -> Diagnosis:
    """Every hash is right, and still the replay names this stage."""
    assert check_integrity(bundle).ok
    diagnosis = replay(bundle, threads=1)
    assert not diagnosis.ok
    assert diagnosis.first is not None
    assert (diagnosis.first.stage, diagnosis.first.precision) == (stage, precision)
    assert diagnosis.first.error > diagnosis.first.tolerance
    assert diagnosis.causes
    assert diagnosis.to_json()["first_divergent_stage"] == stage
    return diagnosis


def test_an_untouched_bundle_has_no_divergent_stage(tiny_bundle: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    diagnosis = replay(tiny_bundle, progress=lambda *step: seen.append(step))
    assert diagnosis.ok
    assert diagnosis.first is None
    assert diagnosis.causes == diagnosis.unchecked == ()
    stages = {(s.stage, s.precision) for s in diagnosis.stages}
    assert stages == {
        *((f"{kind}:{m}", None) for kind in ("sample", "prepare") for m in MODALITIES),
        *((f"encode:{m}", p) for m in MODALITIES for p in ("fp32", "int8")),
        *((f"fuse:{h}", p) for h in HEADS for p in ("fp32", "int8")),
    }
    assert seen[-1][1] == seen[-1][2] == len(seen)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mean", [0.3, -0.2, 9.2]),
        ("std", [4.0, 3.6, 5.0]),
        ("channels", ["y", "x", "z"]),
        ("sensor", {"channels": ["y", "x", "z"], "unit": "g"}),
        ("sensor", {"channels": ["y", "-x", "z"], "unit": "m/s^2"}),
    ],
    ids=["mean", "std", "axis order", "axis sign", "unit"],
)
def test_an_altered_preprocessing_constant_diverges_at_prepare(
    tiny_bundle: Path, tmp_path: Path, key: str, value: Any
) -> None:
    def alter(manifest: Manifest) -> None:
        signal_of(manifest, "accelerometer")[key] = value

    altered = rebundle(tiny_bundle, tmp_path / "altered.plait", manifest=alter)
    diagnosis = diagnosed(altered, "prepare:accelerometer", None)
    assert all(check.ok for check in diagnosis.checks if check.stage != "prepare:accelerometer")


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_error_at_prepare_is_what_the_constant_was_altered_by(
    tiny_bundle: Path, tmp_path: Path, modality: str
) -> None:
    shift = 0.7

    def alter(manifest: Manifest) -> None:
        signal = signal_of(manifest, modality)
        signal["mean"][1] += shift * signal["std"][1]

    altered = rebundle(tiny_bundle, tmp_path / "altered.plait", manifest=alter)
    diagnosis = diagnosed(altered, f"prepare:{modality}", None)
    assert diagnosis.first is not None
    bundle = plait.Bundle(altered)
    golden = bundle.read(f"golden/{diagnosis.first.case}/prepare.{modality}.npy")
    (tmp_path / "golden.npy").write_bytes(golden)
    reference = np.load(tmp_path / "golden.npy")
    assert diagnosis.first.error == pytest.approx(shift / np.abs(reference).max(), rel=1e-4)
    channel = signal_of(bundle.manifest, modality)["channels"][1]
    assert f"channel {channel} = 1 x reference -0.7" in diagnosis.first.note


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_altered_encoder_weight_diverges_at_encode(
    tiny_bundle: Path, tmp_path: Path, modality: str, precision: str
) -> None:
    member = member_of(tiny_bundle, precision, f"{modality}_encoder")
    altered = rebundle(tiny_bundle, tmp_path / "altered.plait", members={member: reverse_weight()})
    diagnosis = diagnosed(altered, f"encode:{modality}", precision)
    assert all(check.ok for check in diagnosis.checks if check.stage != f"encode:{modality}")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_altered_head_weight_diverges_at_fuse(
    tiny_bundle: Path, tmp_path: Path, head: str, precision: str
) -> None:
    member = member_of(tiny_bundle, precision, f"{head}_head")
    altered = rebundle(tiny_bundle, tmp_path / "altered.plait", members={member: reverse_weight()})
    diagnosis = diagnosed(altered, f"fuse:{head}", precision)
    assert all(check.ok for check in diagnosis.checks if check.stage != f"fuse:{head}")


@pytest.mark.parametrize("graph", ["gyroscope_encoder", "effort_head"])
def test_a_weight_altered_by_a_percent_is_found_in_fp32(
    tiny_bundle: Path, tmp_path: Path, graph: str
) -> None:
    member = member_of(tiny_bundle, "fp32", graph)
    altered = rebundle(
        tiny_bundle, tmp_path / "altered.plait", members={member: scale_weight(1.01)}
    )
    stage = "encode:gyroscope" if graph == "gyroscope_encoder" else "fuse:effort"
    diagnosed(altered, stage, "fp32")


@pytest.mark.parametrize(
    ("member", "stage", "precision"),
    [
        ("golden/0/sample.ecg.npy", "sample:ecg", None),
        ("golden/1/prepare.gyroscope.npy", "prepare:gyroscope", None),
        ("golden/0/encode.accelerometer.npy", "encode:accelerometer", "fp32"),
        ("golden/1/fp32/encode.ecg.npy", "encode:ecg", "fp32"),
        ("golden/2/int8/encode.accelerometer.npy", "encode:accelerometer", "int8"),
        ("golden/0/fuse.exercise.npy", "fuse:exercise", "fp32"),
        ("golden/3/fp32/fuse.effort.npy", "fuse:effort", "fp32"),
        ("golden/1/int8/fuse.exercise.npy", "fuse:exercise", "int8"),
    ],
)
def test_an_altered_golden_value_diverges_at_its_stage(
    tiny_bundle: Path, tmp_path: Path, member: str, stage: str, precision: str | None
) -> None:
    altered = rebundle(tiny_bundle, tmp_path / "altered.plait", members={member: scale_array(1.2)})
    diagnosis = diagnosed(altered, stage, precision)
    assert diagnosis.first is not None
    assert diagnosis.first.case == member.split("/")[1]


def test_an_alteration_too_small_for_the_encoder_to_tell_is_left_at_prepare(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    for kind in ("sample", "prepare"):
        members = {f"golden/0/{kind}.ecg.npy": scale_array(1.00003)}
        altered = rebundle(tiny_bundle, tmp_path / f"{kind}.plait", members=members)
        causes = diagnosed(altered, "prepare:ecg", None).causes
        assert "Only case 0 diverges" in causes[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda sample: sample[:-1], "expected shape [37, 3], got [36, 3]"),
        (lambda sample: np.where(np.arange(3) == 1, np.nan, sample), "not finite"),
    ],
    ids=["a row less", "NaN"],
)
def test_a_golden_sample_that_is_none_diverges_at_sample(
    tiny_bundle: Path, tmp_path: Path, change: Callable[[Any], Any], said: str
) -> None:
    members = {"golden/0/sample.accelerometer.npy": edit_array(change)}
    altered = rebundle(tiny_bundle, tmp_path / "altered.plait", members=members)
    diagnosis = diagnosed(altered, "sample:accelerometer", None)
    assert diagnosis.first is not None
    assert said in diagnosis.first.note


def test_of_several_faults_the_first_in_the_pipeline_is_named(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    def alter(manifest: Manifest) -> None:
        signal_of(manifest, "ecg")["mean"] = [100.0, 0.0]

    members = {
        member_of(tiny_bundle, "fp32", "accelerometer_encoder"): reverse_weight(),
        member_of(tiny_bundle, "int8", "exercise_head"): reverse_weight(),
    }
    altered = rebundle(tiny_bundle, tmp_path / "a.plait", members=members, manifest=alter)
    diagnosed(altered, "prepare:ecg", None)
    altered = rebundle(tiny_bundle, tmp_path / "b.plait", members=members)
    diagnosed(altered, "encode:accelerometer", "fp32")


def test_a_quantized_graph_alone_at_fault_is_told_apart(tiny_bundle: Path, tmp_path: Path) -> None:
    member = member_of(tiny_bundle, "int8", "exercise_head")
    altered = rebundle(tiny_bundle, tmp_path / "altered.plait", members={member: reverse_weight()})
    causes = diagnosed(altered, "fuse:exercise", "int8").causes
    assert "right in fp32" in causes[0]


def test_a_change_within_a_wide_tolerance_is_remarked_on_the_machine_that_exported(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    assert replay(tiny_bundle).remarks == ()
    members = {"golden/0/int8/encode.ecg.npy": scale_array(1.01)}
    altered = rebundle(tiny_bundle, tmp_path / "altered.plait", members=members)
    diagnosis = replay(altered)
    assert diagnosis.ok
    assert any("encode:ecg in int8 is 0.0099 off" in remark for remark in diagnosis.remarks)

    def elsewhere(manifest: Manifest) -> None:
        manifest["lineage"]["machine"]["cpu"] = "another"

    moved = rebundle(altered, tmp_path / "moved.plait", manifest=elsewhere)
    assert replay(moved).remarks == ()


def test_a_bundle_without_golden_data_is_not_called_right(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    def alter(manifest: Manifest) -> None:
        manifest["golden"]["cases"] = []

    diagnosis = replay(rebundle(tiny_bundle, tmp_path / "altered.plait", manifest=alter))
    assert not diagnosis.ok
    assert diagnosis.first is None
    assert "no golden data" in diagnosis.unchecked[0]


def test_what_has_no_golden_data_is_listed(tiny_bundle: Path, tmp_path: Path) -> None:
    def alter(manifest: Manifest) -> None:
        for case in manifest["golden"]["cases"]:
            case["precisions"].pop("int8")

    diagnosis = replay(rebundle(tiny_bundle, tmp_path / "altered.plait", manifest=alter))
    assert diagnosis.ok
    assert set(diagnosis.unchecked) == {
        *(f"encode:{m} in int8: no golden data" for m in MODALITIES),
        *(f"fuse:{h} in int8: no golden data" for h in HEADS),
    }


def test_a_loaded_model_is_replayed_in_its_precision(tiny_bundle: Path) -> None:
    diagnosis = replay(plait.load(tiny_bundle, precision="int8", threads=1))
    assert diagnosis.ok
    assert {check.precision for check in diagnosis.checks} == {None, "int8"}


def test_integrity_names_every_damaged_member(tiny_bundle: Path, tmp_path: Path) -> None:
    whole = check_integrity(tiny_bundle)
    assert whole.ok
    assert whole.members == len(read_manifest(tiny_bundle)["members"])
    data = bytearray(tiny_bundle.read_bytes())
    names = ["golden/0/fuse.effort.npy", "graphs/ecg_encoder.fp32.onnx"]
    bundle = plait.Bundle(tiny_bundle)
    for name in names:
        begin = bytes(data).index(bytes(bundle.read(name)))
        data[begin + 100] ^= 1
    damaged = tmp_path / "damaged.plait"
    damaged.write_bytes(data)
    assert sorted(check_integrity(damaged).damaged) == names


def test_relative_error_is_the_largest_difference_over_the_largest_reference(
    generator: np.random.Generator,
) -> None:
    reference = generator.normal(size=(3, 17, 5)).astype(np.float32)
    answer = (reference + generator.normal(size=reference.shape) * 1e-3).astype(np.float32)
    pairs = list(zip(answer.ravel().tolist(), reference.ravel().tolist(), strict=True))
    expected = max(abs(a - b) for a, b in pairs) / max(abs(b) for _, b in pairs)
    assert relative_error(answer, reference) == pytest.approx(expected, rel=1e-12)
    assert relative_error(reference, reference) == 0.0
    assert relative_error(np.zeros(4), np.zeros(4)) == 0.0
    assert relative_error(answer[:, 1:], reference) == np.inf
    for broken in (np.nan, np.inf):
        assert relative_error(np.where(answer == answer.max(), broken, answer), reference) == np.inf


def test_the_environment_finds_the_onnxruntime_that_the_core_runs_on(tiny_bundle: Path) -> None:
    around = environment()
    assert around.onnxruntime_problem is None
    assert f"onnxruntime {around.onnxruntime}," in plait.load(tiny_bundle).backend
    assert around.core == plait.version()


def test_the_environment_says_what_is_no_onnxruntime(tmp_path: Path) -> None:
    none = environment(tmp_path / "none.so")
    assert none.onnxruntime is None
    assert none.onnxruntime_problem is not None
    assert "none.so" in none.onnxruntime_problem
