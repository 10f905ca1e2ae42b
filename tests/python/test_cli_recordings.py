"""Recordings: what CSV and NPY files are read as, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import plait
from plait.sources.recordings import Recording, read_recording

SIGNAL = {
    "window": 7,
    "rate_hz": 50.0,
    "channels": ["x", "y", "z"],
    "sensor": {"channels": ["y", "-x", "z"], "unit": "g"},
}
HEADER = "t,y,x,z"


def write_csv(path: Path, header: str, rows: Sequence[Sequence[object]]) -> Path:
    lines = [header, *(",".join(str(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path: Path) -> Recording:
    return read_recording(path, "accelerometer", SIGNAL)


def refused(path: Path) -> plait.SampleError:
    with pytest.raises(plait.SampleError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return caught.value


def test_csv_columns_are_found_by_name_and_put_in_the_sensors_order(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    values = generator.normal(size=(11, 4))
    path = write_csv(tmp_path / "a.csv", "acc_z,Acc_X,temperature,acc_y", values.tolist())
    recording = read(path)
    np.testing.assert_array_equal(recording.values, values[:, [3, 1, 0]])
    assert recording.timestamps_ns is None


@pytest.mark.parametrize(
    ("name", "ticks", "nanoseconds"),
    [
        ("t", ["0.5", "0.52", "0.5401"], [500_000_000, 520_000_000, 540_100_000]),
        ("time_s", ["0", "1e-9", "3"], [0, 1, 3_000_000_000]),
        # Odd nanoseconds since 1970: no float64 holds them.
        (
            "timestamp_ns",
            ["1795447847123456789", "1795447847143456791", "1795447847163456793"],
            [1795447847123456789, 1795447847143456791, 1795447847163456793],
        ),
    ],
)
def test_time_columns_become_exact_nanoseconds(
    tmp_path: Path, name: str, ticks: list[str], nanoseconds: list[int]
) -> None:
    path = write_csv(tmp_path / "a.csv", f"x,y,{name},z", [(1, 2, tick, 3) for tick in ticks])
    timestamps = read(path).timestamps_ns
    assert timestamps is not None
    assert timestamps.dtype == np.int64
    assert timestamps.tolist() == nanoseconds


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_npy_keeps_dtype_and_values(
    tmp_path: Path, generator: np.random.Generator, dtype: type
) -> None:
    values: NDArray[Any] = generator.integers(-3000, 3000, size=(9, 3)).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    recording = read(tmp_path / "a.npy")
    assert recording.values.dtype == dtype
    np.testing.assert_array_equal(recording.values, values)


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("t,a,b,c", [(0, 1, 2, 3)] * 9, "no column for channel y"),
        ("left_x,right_x,y,z", [(0, 1, 2, 3)] * 9, "2 columns for channel x"),
        ("x,y,z", [(0, 1, 2)] * 6, "6"),
        ("x,y,z", [(0, 1, 2), (0, "walk", 2)] * 5, "walk"),
        ("x,y,z", [(0, 1, 2), (0, 1)] * 5, "numbers in every row"),
        ("x,y,z", [], "0"),
        ("t,x,y,z", [(t, 1, 2, 3) for t in (0, 0.02, 0.02, 0.04)], "row 3"),
        ("t,x,y,z", [(t, 1, 2, 3) for t in (0, "nan", 0.02, 0.04)], "nan in row 2"),
        ("t,time_s,x,y,z", [(0, 0, 1, 2, 3)] * 9, "at most one column of time"),
    ],
)
def test_a_csv_that_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, header: str, rows: list[tuple[object, ...]], said: str
) -> None:
    assert said in str(refused(write_csv(tmp_path / "a.csv", header, rows)))


def test_an_empty_or_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    assert "an empty file" in str(refused(tmp_path / "empty.csv"))
    assert "No such file" in str(refused(tmp_path / "none.csv"))
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    assert ".wav" in str(refused(tmp_path / "sound.wav"))
    (tmp_path / "text.npy").write_text("x,y,z")
    assert "no NPY file" in str(refused(tmp_path / "text.npy"))


@pytest.mark.parametrize(
    "array",
    [np.zeros((9, 2)), np.zeros(27), np.zeros((2, 9, 3)), np.zeros((9, 3), np.complex64)],
    ids=["channels", "rank 1", "rank 3", "dtype"],
)
def test_an_npy_that_does_not_fit_is_refused(tmp_path: Path, array: NDArray[Any]) -> None:
    np.save(tmp_path / "a.npy", array)
    refused(tmp_path / "a.npy")
