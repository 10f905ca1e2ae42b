"""The bench: every presence set and precision has its rows, and they add up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import plait
from plait.bench import BenchReport, measure
from plait.cli.application import run
from tests.cases.rebundle import Manifest, rebundle
from tests.cases.tiny_bundle import raw_samples

ROUNDS = 23


@pytest.fixture(scope="module")
def report(tiny_bundle: Path) -> BenchReport:
    return measure(tiny_bundle, precisions=("fp32", "int8"), warm_up=2, rounds=ROUNDS, threads=1)


def test_every_golden_presence_set_is_timed_in_every_precision(report: BenchReport) -> None:
    sets = {row.presence for row in report.rows}
    assert len(sets) == 7
    assert len(report.rows) == 2 * len(sets)
    assert [load.precision for load in report.loads] == ["fp32", "int8"]


def test_a_row_has_the_stages_that_ran_and_no_other(report: BenchReport) -> None:
    for row in report.rows:
        assert list(row.stages) == [
            *(f"prepare:{name}" for name in row.presence),
            *(f"encode:{name}" for name in row.presence),
            "fuse:exercise",
            # Which does not look at the gyroscope.
            *(["fuse:effort"] if row.presence != ("gyroscope",) else []),
            "core",
            "total",
            "call",
        ]


def test_the_stages_add_up_to_the_total_and_the_call_holds_it(report: BenchReport) -> None:
    for row in report.rows:
        means = {stage: spread.mean_us for stage, spread in row.stages.items()}
        call, total = means.pop("call"), means.pop("total")
        assert sum(means.values()) == pytest.approx(total, rel=1e-6)
        assert call > total > 0
        assert row.stages["core"].minimum_us >= 0
        assert row.throughput_hz == pytest.approx(1e6 / call, rel=1e-6)
        for spread in row.stages.values():
            ordered = [
                spread.minimum_us, spread.p50_us, spread.p90_us, spread.p99_us, spread.p999_us,
                spread.maximum_us,
            ]  # fmt: skip
            assert ordered == sorted(ordered)


def test_the_conditions_are_stated(report: BenchReport) -> None:
    shown = json.loads(json.dumps(report.to_json()))
    assert (shown["rounds"], shown["warm_up"], shown["threads"]) == (ROUNDS, 2, 1)
    assert shown["samples"] == "golden"
    assert shown["environment"]["core"] == plait.version()
    assert shown["peak_resident_bytes"] > 10_000_000
    assert all(load["load_ms"] > 0 and "1 thread" in load["backend"] for load in shown["loads"])
    assert all(row["first_call_us"] > 0 for row in shown["rows"])


def test_given_samples_are_used(tiny_bundle: Path, generator: np.random.Generator) -> None:
    samples = raw_samples(generator)
    bad = {**samples, "ecg": samples["ecg"] * np.nan}
    presences = [("accelerometer", "ecg")]
    timed = measure(tiny_bundle, presences=presences, samples=samples, rounds=1, warm_up=0)
    assert timed.samples == "given"
    assert [row.presence for row in timed.rows] == presences
    with pytest.raises(plait.SampleError):
        measure(tiny_bundle, presences=presences, samples=bad, rounds=1)


def test_nothing_to_time_is_an_error(tiny_bundle: Path, tmp_path: Path) -> None:
    def alter(manifest: Manifest) -> None:
        manifest["golden"]["cases"] = []

    bare = rebundle(tiny_bundle, tmp_path / "bare.plait", manifest=alter)
    with pytest.raises(plait.ConfigError, match="golden samples"):
        measure(bare, rounds=1)
    with pytest.raises(plait.ConfigError, match="ecg"):
        measure(bare, presences=[("ecg",)], rounds=1)
    with pytest.raises(plait.ConfigError, match="rounds"):
        measure(tiny_bundle, rounds=0)


def test_the_command_takes_presence_sets_in_any_order(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", str(tiny_bundle), "--rounds", "3", "--warm-up", "0"]
    assert run([*arguments, "--presence", "ecg, accelerometer", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["presence"] == ["accelerometer", "ecg"]
    assert run([*arguments, "--presence", "sonar"]) == 2
    assert "sonar" in capsys.readouterr().err
    assert run([*arguments, "--precision", "int8"]) == 0
    out = capsys.readouterr().out
    for said in ("p99.9", "int8, all 3", "encode:gyroscope", "3 rounds after 0"):
        assert said in out
