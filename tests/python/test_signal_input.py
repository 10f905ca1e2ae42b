"""Signals of several rates, calibrated, and normalised by themselves, as the reference does it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from torch import nn

import plait
from plait.kinds import signal as kind
from plait_export import Calibration, Signal
from plait_export.reference.signal import prepare_signal
from tests.cases.frame_bundle import write_signal_bundle

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
RATES = (20.0, 25.0, 50.0, 104.0, 200.0)


def described(**changes: Any) -> Signal:
    said: dict[str, Any] = {
        "encoder": cast(Any, None),
        "channels": ("z", "x"),
        "sensor_channels": ("x", "-y", "z"),
        "rate_hz": 50.0,
        "window": 37,
        "unit": "m/s^2",
        "sensor_unit": "g",
        "rate_tolerance": 0.03,
        "max_age_ms": 100.0,
        "when_missing": "mask",
    }
    return Signal(**{**said, **changes})


def load(folder: Path, signal: Signal) -> plait.Model:
    section = signal.to_manifest()["signal"]
    return plait.load(write_signal_bundle(folder / "signal.plait", {"imu": section}), threads=1)


def close(prepared: Any, expected: Any) -> None:
    np.testing.assert_allclose(prepared, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@SETTINGS
@given(seed=st.integers(0, 2**32 - 1), rate=st.sampled_from(RATES), antialias=st.booleans())
def test_every_declared_rate_is_brought_to_the_encoders(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rate: float, antialias: bool
) -> None:
    generator = np.random.default_rng(seed)
    signal = described(rates_hz=RATES, antialias=antialias)
    model = load(tmp_path_factory.mktemp("rates"), signal)
    rows = math.ceil(signal.window * rate / signal.rate_hz)
    values = generator.normal(size=(rows, 3))
    expected = prepare_signal(signal, values, rate_hz=rate)
    close(model.prepare("imu", plait.Series(values, rate_hz=rate)), expected)
    jitter = generator.uniform(-0.2, 0.2, rows + 7)
    stamps = ((np.arange(rows + 7) + jitter) * 1e9 / rate).astype(np.int64) + 1_700_000_000_000_000
    longer = generator.normal(size=(rows + 7, 3))
    expected = prepare_signal(signal, longer, timestamps_ns=stamps)
    close(model.prepare("imu", plait.Series(longer, timestamps_ns=stamps)), expected)


def test_a_sine_below_the_new_nyquist_passes_and_one_above_does_not(tmp_path: Path) -> None:
    """What averaging is for: at 50 Hz 60 Hz would look like 10 Hz."""
    for antialias, most in ((True, 0.2), (False, 1.0)):
        signal = described(rates_hz=(50.0, 200.0), antialias=antialias, sensor_unit="m/s^2")
        model = load(tmp_path, signal)
        seconds = np.arange(4 * signal.window)[:, None] / 200.0
        for hertz, least, bound in ((2.0, 0.9, 1.01), (60.0, 0.0, most + 0.01)):
            wave = np.sin(2 * np.pi * hertz * seconds) * np.ones(3)
            heard = np.abs(model.prepare("imu", plait.Series(wave, rate_hz=200.0))[0, :, 2:-2])
            assert least <= heard.max() <= bound


@pytest.mark.parametrize("rate", [49.0, 100.0, 21.0, float("nan"), -50.0])
def test_another_rate_is_refused_with_those_that_are_taken(tmp_path: Path, rate: float) -> None:
    signal = described(rates_hz=(25.0, 50.0), rate_tolerance=0.01)
    with pytest.raises(plait.SampleError, match="25 or 50 Hz"):
        load(tmp_path, signal).prepare("imu", plait.Series(np.zeros((37, 3)), rate_hz=rate))


@SETTINGS
@given(seed=st.integers(0, 2**32 - 1), parts=st.sets(st.sampled_from(["bias", "scale", "matrix"])))
def test_a_calibration_is_taken_out_in_the_sensors_unit(
    tmp_path_factory: pytest.TempPathFactory, seed: int, parts: set[str]
) -> None:
    generator = np.random.default_rng(seed)
    said: dict[str, Any] = {
        "bias": generator.normal(0.0, 50.0, 3),
        "scale": generator.uniform(0.9, 1.1, 3),
        "matrix": np.eye(3) + generator.normal(0.0, 0.02, (3, 3)),
    }
    given_parts = {name: said[name].tolist() for name in parts}
    signal = described(calibration=Calibration(**given_parts))
    raw = generator.normal(0.0, 60.0, (37, 3))
    model = load(tmp_path_factory.mktemp("calibrated"), signal)
    prepared = model.prepare("imu", raw)
    close(prepared, prepare_signal(signal, raw))
    by_hand = (raw - said["bias"] * ("bias" in parts)) * (said["scale"] if "scale" in parts else 1)
    by_hand = by_hand @ said["matrix"].T if "matrix" in parts else by_hand
    close(prepared[0], np.stack([by_hand[:, 2], by_hand[:, 0]]) * 9.80665)
    metric = plait.Series(raw * 9.80665, unit="m/s^2")
    close(model.prepare("imu", metric), prepared)


@SETTINGS
@given(
    seed=st.integers(0, 2**32 - 1),
    offset=st.floats(-1e4, 1e4),
    gain=st.floats(1e-2, 1e3),
    layout=st.sampled_from(["NCT", "NTC"]),
)
def test_a_window_normalised_by_itself_forgets_offset_and_gain(
    tmp_path_factory: pytest.TempPathFactory, seed: int, offset: float, gain: float, layout: str
) -> None:
    signal = described(normalization="window", layout=layout)
    model = load(tmp_path_factory.mktemp("window"), signal)
    values = np.random.default_rng(seed).normal(size=(37, 3))
    prepared = model.prepare("imu", values)
    close(prepared, prepare_signal(signal, values))
    time = 2 if layout == "NCT" else 1
    np.testing.assert_allclose(prepared.mean(axis=time), 0.0, atol=1e-5)
    np.testing.assert_allclose(prepared.std(axis=time), 1.0, atol=1e-5)
    np.testing.assert_allclose(model.prepare("imu", values * gain + offset), prepared, atol=1e-4)


def test_a_running_normalisation_goes_on_from_sample_to_sample(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    signal = described(
        normalization="running", momentum=0.2, mean=(0.5, -0.5), std=(2.0, 3.0), epsilon=1e-4
    )
    model = load(tmp_path, signal)
    state = model.signal_state("imu")
    assert (state.mean, state.variance) == ([0.5, -0.5], [4.0, 9.0])
    for _ in range(4):
        values = generator.normal(3.0, 5.0, (37, 3))
        before = (list(state.mean), list(state.variance))
        prepared = model.prepare("imu", plait.Series(values, state=state))
        close(prepared, prepare_signal(signal, values, state=before))
        close(model.prepare("imu", values), prepare_signal(signal, values))
        assert state.mean != before[0]
    restored = model.signal_state("imu")
    restored.mean, restored.variance = state.mean, state.variance
    values = generator.normal(size=(37, 3))
    again = model.prepare("imu", plait.Series(values, state=restored))
    once = model.prepare("imu", plait.Series(values, state=state))
    np.testing.assert_array_equal(again, once)


def test_the_snippet_of_the_docs_runs(tmp_path: Path, generator: np.random.Generator) -> None:
    page = Path(__file__).parents[2] / "docs" / "sensors.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    [snippet] = [each for each in snippets if "signal_state" in each]
    section = described(normalization="running").to_manifest()["signal"]
    sections = {"accelerometer": section, "gyroscope": section}
    names: dict[str, Any] = {
        "plait": plait,
        "model": plait.load(write_signal_bundle(tmp_path / "s.plait", sections), threads=1),
        "stream": generator.normal(size=(4, 37, 3)),
    }
    exec(compile(snippet, str(page), "exec"), names)  # the page's own words
    assert names["state"].mean != [0.0, 0.0]


def test_only_running_normalisation_has_a_state(tmp_path: Path) -> None:
    model = load(tmp_path, described())
    with pytest.raises(plait.ConfigError, match="running"):
        model.signal_state("imu")


def test_inspect_says_what_is_done_to_a_signal() -> None:
    signal = described(
        rates_hz=(25.0, 50.0),
        calibration=Calibration(bias=(1.0, 2.0, 3.0)),
        normalization="running",
    )
    said = "\n".join(kind.lines(signal.to_manifest()["signal"]))
    for words in ("25, 50 Hz", "averaged", "calibration", "[1, 2, 3]", "running"):
        assert words in said
    window = described(normalization="window").to_manifest()["signal"]
    assert "of each window" in "\n".join(kind.lines(window))


def test_what_the_exporter_writes_of_it_validates(tmp_path: Path) -> None:
    schema = json.loads((Path(plait.__file__).parent / "manifest.schema.json").read_text())
    signal = described(
        rates_hz=RATES,
        calibration=Calibration(scale=(1.0, 2.0, 3.0)),
        normalization="running",
        mean=(1.0, 2.0),
    )
    model = load(tmp_path, signal)
    assert list(Draft202012Validator(schema).iter_errors(model.manifest)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rates_hz": ()}, "rates_hz as 1 to 16"),
        ({"rates_hz": (50.0, 0.0)}, "rates_hz as 1 to 16"),
        ({"rates_hz": (50.0, 1e6)}, "at most 1024 times"),
        ({"antialias": 1}, "antialias as True or False"),
        ({"calibration": Calibration(bias=(1.0,))}, "calibration bias as 3"),
        ({"calibration": Calibration(scale=(1.0, 2.0, float("inf")))}, "calibration scale as 3"),
        ({"calibration": Calibration(matrix=((1.0, 0.0, 0.0),))}, "matrix with 3 rows"),
        ({"calibration": Calibration(matrix=((1.0,),) * 3)}, "matrix's rows as 3"),
        ({"normalization": "batch"}, "normalization as one of"),
        ({"normalization": "window", "std": (1.0, 1.0)}, "no mean and no std"),
        ({"epsilon": 0.0}, "epsilon as a finite number above 0"),
        ({"momentum": 1.5}, "momentum of at most 1"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    described(encoder=nn.Identity()).check("imu")
    with pytest.raises(plait.ConfigError) as refusal:
        described(encoder=nn.Identity(), **changes).check("imu")
    assert words in str(refusal.value)
