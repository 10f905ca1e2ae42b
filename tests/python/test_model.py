"""The Python face: equal answers stage by stage, views and no copies, errors that say what."""

from __future__ import annotations

import itertools
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import plait
from tests.cases.tiny_bundle import RAW

PRECISIONS = ("fp32", "int8")
PRESENCE_SETS = [
    present
    for count in range(1, len(RAW) + 1)
    for present in itertools.combinations(tuple(RAW), count)
]


def raw(generator: np.random.Generator, dtype: str = "float32") -> dict[str, Any]:
    return {
        name: (generator.standard_normal((window, channels)) * scale).astype(dtype)
        for name, (window, channels, scale) in RAW.items()
    }


def only(samples: dict[str, Any], present: tuple[str, ...]) -> dict[str, Any]:
    return {name: sample if name in present else None for name, sample in samples.items()}


def outputs(result: plait.Result) -> dict[str, bytes | None]:
    return {
        head: None if (output := result[head].output) is None else output.tobytes()
        for head in result
    }


@pytest.fixture(scope="module", params=PRECISIONS)
def model(request: pytest.FixtureRequest, tiny_bundle: Path) -> plait.Model:
    return plait.load(tiny_bundle, precision=request.param, threads=1)


@pytest.mark.parametrize("present", PRESENCE_SETS, ids="+".join)
def test_call_equals_its_stages_bit_for_bit(
    model: plait.Model, generator: np.random.Generator, present: tuple[str, ...]
) -> None:
    samples = raw(generator)
    whole = model(**only(samples, present))
    embeddings = {
        name: model.encode_prepared(name, model.prepare(name, samples[name]))
        if name in present
        else None
        for name in model.modalities
    }
    staged = model.fuse(**embeddings)
    assert outputs(whole) == outputs(staged)
    assert set(whole.presence.values()) <= {"fresh", "absent"}
    assert [name for name, state in staged.presence.items() if state == "cached"] == list(present)
    for name in present:
        assert np.array_equal(model.encode(name, samples[name]), embeddings[name])


def test_answer_holds_scores_labels_and_expected_quality(
    model: plait.Model, generator: np.random.Generator
) -> None:
    result = model(**raw(generator))
    answer = result["exercise"]
    assert answer.output is not None and answer.scores is not None and answer.best is not None
    exact = np.exp(answer.output.astype(np.float64) - answer.output.max())
    assert np.allclose(answer.scores, exact / exact.sum(), atol=1e-6)
    assert answer.best == int(answer.output.argmax())
    assert answer.label == model.manifest["heads"][0]["labels"][answer.best]
    rows = [
        row
        for row in model.manifest["quality"]
        if row["head"] == "exercise"
        and row["precision"] == model.precision
        and row["presence"] == list(model.modalities)
    ]
    assert answer.expected_quality == plait.Quality(rows[0]["metric"], rows[0]["value"])
    assert result.expected_quality == answer.expected_quality
    effort = result["effort"]
    assert effort.label is None and effort.scores is None and effort.output is not None


def test_head_without_any_of_its_modalities_gives_no_answer(
    model: plait.Model, generator: np.random.Generator
) -> None:
    result = model(**only(raw(generator), ("gyroscope",)))
    assert result["exercise"].label is not None
    effort = result["effort"]  # rests on accelerometer and ecg
    assert effort.output is None and effort.expected_quality is None


def test_timings_name_every_stage_and_absent_modalities_take_none(
    model: plait.Model, generator: np.random.Generator
) -> None:
    timings = model(**only(raw(generator), ("ecg",))).timings
    assert timings.encode_ns["ecg"] > 0 and timings.prepare_ns["ecg"] > 0
    assert timings.encode_ns["accelerometer"] == timings.prepare_ns["gyroscope"] == 0
    assert set(timings.fuse_ns) == {"exercise", "effort"}
    parts = sum(timings.encode_ns.values()) + sum(timings.fuse_ns.values())
    assert timings.total_ns >= parts
    assert set(model(**raw(generator)).timings_ms) == {"prepare", "encode", "fuse", "total"}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_dtype_and_layout_of_a_sample_do_not_change_the_input(
    model: plait.Model, generator: np.random.Generator, dtype: str
) -> None:
    samples = raw(generator)
    for name, sample in samples.items():
        plain = np.ascontiguousarray(sample.astype(dtype))
        wanted = model.prepare(name, plain.astype(np.float32))
        assert np.array_equal(model.prepare(name, plain), wanted)
        assert np.array_equal(model.prepare(name, np.asfortranarray(plain)), wanted)
        wide = np.repeat(plain, 2, axis=1)[:, ::2]
        assert np.array_equal(model.prepare(name, wide), wanted)
        backwards = np.ascontiguousarray(plain[::-1])[::-1]
        assert np.array_equal(model.prepare(name, backwards), wanted)
        assert np.array_equal(model.prepare(name, torch.from_numpy(plain)), wanted)


def test_a_series_on_the_grid_equals_its_last_window(
    model: plait.Model, generator: np.random.Generator
) -> None:
    values = generator.standard_normal((90, 3)).astype(np.float32)
    stamps = np.arange(90) * 20_000_000 + 1_790_000_000_000_000_000
    series = plait.Series(values, timestamps_ns=stamps)
    assert np.array_equal(
        model.prepare("accelerometer", series), model.prepare("accelerometer", values[-37:])
    )


def test_a_jittery_series_equals_numpy_interpolation(
    model: plait.Model, generator: np.random.Generator
) -> None:
    seconds = np.cumsum(generator.uniform(0.015, 0.025, 90))
    stamps = np.round(seconds * 1e9).astype(np.int64)
    values = generator.standard_normal((90, 3))
    grid = stamps[-1] - np.arange(36, -1, -1) * 20_000_000
    window = np.stack(
        [np.interp(grid - stamps[0], stamps - stamps[0], column) for column in values.T], axis=1
    )
    ours = model.prepare("accelerometer", plait.Series(values, timestamps_ns=stamps))
    assert np.abs(ours - model.prepare("accelerometer", window)).max() < 1e-5


def test_unit_of_a_series_is_converted(model: plait.Model, generator: np.random.Generator) -> None:
    in_g = generator.standard_normal((37, 3))
    ours = model.prepare("accelerometer", plait.Series(in_g * 9.80665, unit="m/s^2"))
    assert np.allclose(ours, model.prepare("accelerometer", in_g), atol=1e-5)


def test_arrays_are_read_only_views_that_outlive_model_and_result(
    tiny_bundle: Path, generator: np.random.Generator
) -> None:
    loaded = plait.load(tiny_bundle, threads=1)
    result = loaded(**raw(generator))
    scores = result["exercise"].scores
    assert scores is not None
    with pytest.raises(ValueError, match="read-only"):
        scores[0] = 1
    assert np.shares_memory(scores, result["exercise"].scores)
    before = scores.copy()
    del result, loaded
    assert np.array_equal(scores, before)


def test_a_loaded_model_survives_its_file_being_overwritten_in_place(
    tiny_bundle: Path, tmp_path: Path, generator: np.random.Generator
) -> None:
    path = tmp_path / "tiny.plait"
    path.write_bytes(tiny_bundle.read_bytes())
    loaded = plait.load(path, threads=1)
    path.write_bytes(b"")  # as an update by cp does, before the new bytes
    assert loaded.manifest["name"] == loaded.name == "tiny"
    assert loaded(**raw(generator))["exercise"].label


def test_python_threads_share_one_model(model: plait.Model, generator: np.random.Generator) -> None:
    samples = [raw(generator) for _ in range(4)]
    wanted = [outputs(model(**sample)) for sample in samples]
    failures: list[int] = []

    def work(index: int) -> None:
        for _ in range(50):
            if outputs(model(**samples[index])) != wanted[index]:
                failures.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def bad_samples() -> dict[str, tuple[Any, str]]:
    """case -> (what is passed for the accelerometer, what the error has to mention)"""
    good = np.zeros((37, 3), np.float32)
    poisoned = good.copy()
    poisoned[5, 2] = np.inf
    stamps = np.arange(60) * 20_000_000
    late = stamps.copy()
    late[40:] += 10**9
    return {
        "too short": (good[:-1], "[37, 3]"),
        "too many channels": (np.zeros((37, 4), np.float32), "[37, 4]"),
        "one axis": (good[:, 0], "[37]"),
        "nine axes": (np.zeros((1,) * 9, np.float32), "dimensions"),
        "complex": (good.astype(np.complex64), "complex64"),
        "strings": (np.full((37, 3), "x"), "U1"),
        "big-endian": (good.astype(">f4"), ">f4"),
        "unsigned bytes": (good.astype(np.uint8), "uint8"),
        "infinite": (poisoned, "row 5, column 2"),
        "a list": (good.tolist(), "list"),
        "wrong rate": (plait.Series(good, rate_hz=100), "100 Hz"),
        "rate of NaN": (plait.Series(good, rate_hz=float("nan")), "nan"),
        "unknown unit": (plait.Series(good, unit="furlong"), "furlong"),
        "a gap": (plait.Series(np.zeros((60, 3)), timestamps_ns=late), "gap"),
        "stamps backwards": (
            plait.Series(np.zeros((60, 3)), timestamps_ns=stamps[::-1]),
            "increasing",
        ),
        "stamps of another length": (
            plait.Series(np.zeros((60, 3)), timestamps_ns=stamps[:-1]),
            "59",
        ),
    }


@pytest.mark.parametrize("case", bad_samples())
def test_bad_samples_are_sample_errors_and_the_model_lives(
    model: plait.Model, generator: np.random.Generator, case: str
) -> None:
    sample, mention = bad_samples()[case]
    samples = raw(generator)
    with pytest.raises(plait.SampleError, match="accelerometer") as caught:
        model(**{**samples, "accelerometer": sample})
    assert mention in str(caught.value)
    assert caught.value.expected and caught.value.got and caught.value.where
    assert model(**samples)["exercise"].label


def test_time_stamps_that_are_no_integers_are_refused() -> None:
    with pytest.raises(plait.SampleError, match="nanoseconds"):
        plait.Series(np.zeros((3, 1)), timestamps_ns=[0.0, float("nan"), 1.0])


@pytest.mark.parametrize(
    ("change", "mention"),
    [
        ({"smell": None}, "smell"),
        ({"gyroscope": "leave out"}, "gyroscope"),
        (dict.fromkeys(RAW), "at least one"),
    ],
)
def test_presence_is_declared_never_guessed(
    model: plait.Model, generator: np.random.Generator, change: dict[str, Any], mention: str
) -> None:
    samples = {**raw(generator), **change}
    given = {name: value for name, value in samples.items() if not isinstance(value, str)}
    with pytest.raises(plait.SampleError, match=mention):
        model(**given)


def test_bad_embeddings_are_sample_errors(
    model: plait.Model, generator: np.random.Generator
) -> None:
    good = {name: model.encode(name, sample) for name, sample in raw(generator).items()}
    for bad in (good["ecg"][:, :-1], good["ecg"].astype(np.float64), good["ecg"] * np.nan):
        with pytest.raises(plait.SampleError, match="ecg"):
            model.fuse(**{**good, "ecg": bad})


def test_options_that_make_no_sense_are_config_errors(tiny_bundle: Path) -> None:
    for options in ({"precision": "int3"}, {"device": "abacus"}, {"threads": 0}, {"threads": -2}):
        with pytest.raises(plait.ConfigError):
            plait.load(tiny_bundle, **options)  # type: ignore[arg-type]
    loaded = plait.load(tiny_bundle)
    with pytest.raises(plait.ConfigError, match="exercise"):
        loaded(**dict.fromkeys(RAW, None) | {"ecg": np.zeros((101, 2), np.float32)})["nothing"]


def test_errors_survive_pickling() -> None:
    error = plait.BundleError(where="here", expected="this", got="that", action="Do so.")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is plait.BundleError and str(copy) == str(error)
    assert copy.action == "Do so."
