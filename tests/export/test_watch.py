"""The watch model: honest splits, physical augmentation, a head that minds what is absent."""

from __future__ import annotations

import itertools
import json
import secrets
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import plait
from benchmarks import watch_folds
from plait_export.zoo import watch, watch_data, watch_net, watch_train
from plait_export.zoo.watch_data import EXERCISES, WINDOW, Recording
from tests.cases.zoo_engines import PRECISIONS, build_for_three

AS_IT_IS = watch_train.Normalisation(mean=(0.0,) * 6, std=(1.0,) * 6)


@pytest.fixture(scope="module")
def recordings() -> tuple[Recording, ...]:
    return watch.load_recordings()


@pytest.fixture
def generator() -> np.random.Generator:
    """Fresh random numbers, also for torch; pytest shows the seed where the test fails."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    torch.manual_seed(seed)
    return np.random.default_rng(seed)


def one_recording(accelerometer: np.ndarray, gyroscope: np.ndarray) -> Recording:
    return Recording(
        accelerometer.astype(np.float32), gyroscope.astype(np.float32), 4, subject=1, right_arm=True
    )


def test_every_person_is_measured_once_and_never_learned_from_then(
    recordings: tuple[Recording, ...],
) -> None:
    splits = [watch.split(fold, 5, recordings) for fold in range(5)]
    measured = [subject for each in splits for subject in each.test_subjects]
    assert sorted(measured) == list(range(1, 11))
    for each in splits:
        assert not set(each.training_subjects) & set(each.test_subjects)
        assert len(each.training) + len(each.test) == len(recordings) == 140


@pytest.mark.parametrize(("fold", "folds"), [(5, 5), (-1, 5), (0, 11), (0, 1)])
def test_impossible_folds_are_refused(
    fold: int, folds: int, recordings: tuple[Recording, ...]
) -> None:
    with pytest.raises(plait.ConfigError, match=f"fold {fold} of {folds}"):
        watch.split(fold, folds, recordings)


def test_another_file_is_refused_before_it_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "watch_dataset.npy"
    content = bytearray(watch_data.dataset_path().read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(plait.ConfigError, match="SHA-256"):
        watch.load_recordings(path)


def test_units_are_g_and_radians_per_second(recordings: tuple[Recording, ...]) -> None:
    still = [
        np.linalg.norm(each.accelerometer[np.linalg.norm(each.gyroscope, axis=1) < 0.2], axis=1)
        for each in recordings
    ]
    assert np.median(np.concatenate(still)) == pytest.approx(1.0, abs=0.03)  # gravity
    elevation = EXERCISES.index("forward_elevation")
    swings = []
    for each in recordings:
        if each.exercise == elevation:
            rate = each.gyroscope[:, 1] - each.gyroscope[:, 1].mean()
            swings.append(np.ptp(np.percentile(np.cumsum(rate) / watch_data.RATE_HZ, [5, 95])))
    assert 120 < np.degrees(np.median(swings)) < 220  # an arm, from the hip to above the head


def test_windows_are_all_whole_stretches_of_their_recordings(
    recordings: tuple[Recording, ...], generator: np.random.Generator
) -> None:
    stride = int(generator.integers(17, 171))
    chosen = [recordings[index] for index in generator.choice(len(recordings), 5, replace=False)]
    cut = watch.windows(chosen, stride)
    at = 0
    for each in chosen:
        for begin in range(0, len(each.gyroscope) - WINDOW + 1, stride):
            sample = cut.sample(at)
            np.testing.assert_array_equal(
                sample["accelerometer"], each.accelerometer[begin : begin + WINDOW]
            )
            np.testing.assert_array_equal(
                sample["gyroscope"], each.gyroscope[begin : begin + WINDOW]
            )
            assert cut.exercise[at] == each.exercise
            at += 1
    assert at == len(cut) > 0


def test_normalisation_knows_training_people_only(recordings: tuple[Recording, ...]) -> None:
    people = watch.split(2, 5, recordings)
    scale = watch_train.normalisation(people.training)
    signal = np.concatenate(
        [np.hstack([each.accelerometer, each.gyroscope]) for each in people.training]
    ).astype(np.float64)
    np.testing.assert_allclose(scale.mean, signal.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(scale.std, signal.std(axis=0), rtol=1e-3)


def test_augmentation_turns_and_mirrors_both_sensors_as_one_body(
    monkeypatch: pytest.MonkeyPatch, generator: np.random.Generator
) -> None:
    """A cross product of two polar vectors is axial: after any turn or mirror it still fits."""
    for name in ("TEMPO", "GAIN", "NOISE"):
        monkeypatch.setattr(watch_train, name, 0.0)
    monkeypatch.setattr(watch_train, "TILT_DEGREES", 40.0)
    first, last = generator.normal(size=(2, 3))
    halves = np.repeat([first, last], WINDOW // 2 + 1, axis=0)
    axial = np.tile(np.cross(first, last), (len(halves), 1))
    crops = watch_train.Crops([one_recording(halves, axial)], AS_IT_IS)
    accelerometer, gyroscope, exercise = crops.draw(64)
    begin, end = accelerometer[:, :, 0].numpy(), accelerometer[:, :, -1].numpy()
    np.testing.assert_allclose(gyroscope[:, :, 5].numpy(), np.cross(begin, end), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(begin, axis=1), np.linalg.norm(first), rtol=1e-4)
    assert len(np.unique(begin.round(4), axis=0)) == 64
    assert set(exercise.tolist()) == {4}


def test_a_faster_pace_is_a_faster_turn(
    monkeypatch: pytest.MonkeyPatch, generator: np.random.Generator
) -> None:
    for name in ("TILT_DEGREES", "GAIN", "NOISE"):
        monkeypatch.setattr(watch_train, name, 0.0)
    length = int(generator.integers(2 * WINDOW, 4 * WINDOW))
    ramp, rate = np.zeros((length, 3)), np.zeros((length, 3))
    ramp[:, 1] = np.arange(length) / length
    rate[:, 0] = 2.0
    crops = watch_train.Crops([one_recording(ramp, rate)], AS_IT_IS)
    accelerometer, gyroscope, _ = crops.draw(32)
    slope = (accelerometer[:, 1, 100] - accelerometer[:, 1, 0]).numpy() * length / 100
    np.testing.assert_allclose(gyroscope[:, 0, 0].numpy(), 2.0 * slope, rtol=1e-3)
    assert slope.min() > 0.7 and slope.max() < 1.3 and np.ptp(slope) > 0.05


def test_crops_stay_inside_recordings_shorter_than_a_slow_window(
    generator: np.random.Generator,
) -> None:
    """Beside a recording that is as short as a window, a neighbour's rows are never read."""
    short = one_recording(np.zeros((WINDOW, 3)), np.zeros((WINDOW, 3)))
    alarm = one_recording(np.full((WINDOW, 3), 1e6), np.full((WINDOW, 3), 1e6))
    crops = watch_train.Crops([short, replace(alarm, exercise=5)], AS_IT_IS)
    accelerometer, gyroscope, exercise = crops.draw(256)
    quiet = exercise == 4
    assert 0 < int(quiet.sum()) < 256
    assert float(accelerometer[quiet].abs().max()) < 10
    assert float(gyroscope[quiet].abs().max()) < 10


@pytest.mark.parametrize("absent", [0, 1])
@pytest.mark.parametrize("rubbish", ["random", "infinite", "nan"])
def test_an_absent_embedding_never_matters(
    absent: int, rubbish: str, generator: np.random.Generator
) -> None:
    head = watch_net.AttentionFusion(modalities=2, classes=7).eval()
    batch = int(generator.integers(1, 9))
    embeddings = [torch.randn(batch, watch_net.EMBEDDING) for _ in range(2)]
    presence = torch.ones(batch, 2)
    presence[:, absent] = 0.0
    expected = head(*embeddings, presence)
    given = {"random": 1e3 * torch.randn(1), "infinite": torch.inf, "nan": torch.nan}[rubbish]
    embeddings[absent] = torch.ones(batch, watch_net.EMBEDDING) * given
    assert torch.equal(head(*embeddings, presence), expected)
    embeddings[1 - absent] = embeddings[1 - absent] + 1
    assert not torch.equal(head(*embeddings, presence), expected)


def test_the_same_seed_trains_the_same_network(recordings: tuple[Recording, ...]) -> None:
    people = watch.split(1, 5, recordings)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    seen: list[tuple[str, int, int]] = []
    first = watch.train(people, epochs=1, seed=7, progress=lambda *step: seen.append(step))
    again = watch.train(people, epochs=1, seed=7).state_dict()
    other = watch.train(people, epochs=1, seed=8).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.state_dict().items())
    assert not torch.equal(other["fusion.value.weight"], again["fusion.value.weight"])
    assert torch.equal(torch.get_rng_state(), before)
    assert seen == [("train", 1, 1)]
    assert not first.training


def test_no_epoch_is_refused(recordings: tuple[Recording, ...]) -> None:
    with pytest.raises(plait.ConfigError, match="at least 1 epoch"):
        watch.train(watch.split(0, 5, recordings), epochs=0)


def test_calibration_sees_training_people_only(recordings: tuple[Recording, ...]) -> None:
    people = watch.split(3, 5, recordings)
    known = {window.tobytes() for window in watch.windows(people.training).accelerometer}
    unseen = {window.tobytes() for window in watch.windows(people.test).accelerometer}
    chosen = [sample["accelerometer"].tobytes() for sample in watch.calibration(people)]
    assert len(set(chosen)) == len(chosen) == watch.CALIBRATION_WINDOWS
    assert set(chosen) <= known
    assert not set(chosen) & unseen


def test_the_bundle_says_whom_it_was_measured_on(watch_bundle: Path) -> None:
    manifest = plait.Bundle(str(watch_bundle)).manifest
    lineage = manifest["lineage"]
    assert lineage["split"]["test_subjects"] == [1, 6]
    assert lineage["split"]["training_subjects"] == [2, 3, 4, 5, 7, 8, 9, 10]
    assert lineage["training"] == {
        "epochs": 2,
        "seed": 3,
        "torch_threads": watch_train.THREADS,
    }
    assert lineage["data"]["sha256"] == watch_data.DATA_SHA256
    units = [modality["signal"]["unit"] for modality in manifest["modalities"]]
    assert units == ["g", "rad/s"]


def test_the_bundle_answers_as_the_network_does(watch_bundle: Path) -> None:
    people = watch.split(0)
    network = watch.train(people, epochs=2, seed=3)
    scale = watch_train.normalisation(people.training)
    model = plait.load(str(watch_bundle), precision="fp32", threads=1)
    test = watch.windows(people.test, stride=601)
    for index in range(len(test)):
        sample = test.sample(index)
        raw = np.hstack([sample["accelerometer"], sample["gyroscope"]]).astype(np.float64)
        prepared = torch.from_numpy((raw - scale.mean) / scale.std).float().T.unsqueeze(0)
        for presence in itertools.product((0.0, 1.0), repeat=2):
            if not any(presence):
                continue
            with torch.no_grad():
                expected = network(prepared[:, :3], prepared[:, 3:], torch.tensor([presence]))
            given = dict(zip(sample, presence, strict=True))
            answer = model(**{name: sample[name] if given[name] else None for name in sample})
            np.testing.assert_allclose(
                answer["exercise"].output, expected[0].numpy(), rtol=1e-3, atol=1e-4
            )


def test_what_the_folds_script_measures_is_what_the_bundle_promises(watch_bundle: Path) -> None:
    """Two pieces of code measure the same bundle: the exporter's gate and the benchmark."""
    promised = {
        (tuple(row["presence"]), row["precision"]): row["value"]
        for row in plait.Bundle(str(watch_bundle)).manifest["quality"]
        if not row["precision"].endswith("_tensorrt")  # promised of engines, not of this CPU
    }
    rows = watch_folds.measure(str(watch_bundle), fold=0)
    measured = {(row.presence, row.precision): row.accuracy for row in rows}
    assert {key: measured[key] for key in promised} == pytest.approx(promised)
    assert {row.windows for row in rows} == {len(watch.windows(watch.split(0).test))}


def test_the_folds_script_writes_its_numbers_and_its_table(tmp_path: Path) -> None:
    numbers, table = tmp_path / "folds.json", tmp_path / "folds.md"
    arguments = ["--quick", "--epochs", "1", "--folds", "4,0"]
    assert watch_folds.main([*arguments, "--json", str(numbers), "--markdown", str(table)]) == 0
    report = json.loads(numbers.read_text())
    assert [fold["fold"] for fold in report["folds"]] == [4]
    fp32 = {
        tuple(row["presence"]): row["accuracy"]
        for row in report["mean"]
        if row["precision"] == "fp32"
    }
    assert set(fp32) == set(watch_folds.TARGETS)
    assert "| 4 | 5, 10 |" in table.read_text()


def test_a_refused_precision_leaves_a_gap_in_the_table_not_a_zero() -> None:
    def row(fold: int, precision: str, accuracy: float) -> watch_folds.Row:
        return watch_folds.Row(fold, (fold,), 9, ("gyroscope",), precision, "any", accuracy)

    rows = [row(0, "fp32", 0.5), row(0, "int8", 0.25), row(1, "fp32", 0.75)]
    table = watch_folds.markdown(rows)
    assert "| 0 | 0 | 9 | 50.0 | 25.0 |" in table
    assert "| 1 | 1 | 9 | 75.0 | - |" in table
    assert "| **mean** | | | **62.5** | **25.0** |" in table


def test_every_graph_becomes_engines_in_fp16_and_int8(
    watch_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = build_for_three(watch_bundle, tmp_path, capsys)
    assert not answer["failed"]
    assert {one["graph"] for one in answer["engines"]} >= {"accelerometer_encoder", "exercise_head"}
    assert {one["precision"] for one in answer["engines"]} == set(PRECISIONS)
