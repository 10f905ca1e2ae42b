"""Recorded signals out of CSV and NPY files, and where their windows lie."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import plait
from plait import SampleError

# Column of a CSV file that holds time -> nanoseconds in its unit.
_TIME_COLUMNS = {"t": 1_000_000_000, "time_s": 1_000_000_000, "timestamp_ns": 1}


@dataclass(frozen=True)
class Recording:
    """One modality over any length of time.

    values: [time, channels] in the sensor's channel order. timestamps_ns: [time] int64, strictly
    increasing, or None, where the rows are at the nominal rate and the first is at time 0.
    """

    modality: str
    values: NDArray[Any]
    timestamps_ns: NDArray[np.int64] | None
    window: int
    rate_hz: float

    @property
    def period_ns(self) -> float:
        """Between two rows, nominally."""
        return 1e9 / self.rate_hz

    def time_ns(self, row: int) -> int:
        """When a row was taken."""
        if self.timestamps_ns is not None:
            return int(self.timestamps_ns[row])
        return round(row * self.period_ns)

    def last_row(self, time_ns: int) -> int:
        """The last row taken at time_ns or before; -1 where there is none."""
        if self.timestamps_ns is not None:
            return int(np.searchsorted(self.timestamps_ns, time_ns, side="right")) - 1
        # Half a nanosecond of play: time_ns came out of the same rounding.
        return min(int((time_ns + 0.5) / self.period_ns), len(self.values) - 1)

    def first_row(self, last: int) -> int:
        """The row at which the window that ends with row `last` begins; negative: too early."""
        if self.timestamps_ns is None:
            return last - self.window + 1
        start = self.timestamps_ns[last] - round((self.window - 1) * self.period_ns)
        return int(np.searchsorted(self.timestamps_ns, start, side="right")) - 1

    def first_end_ns(self) -> int:
        """The end of the first whole window; later than any row where there is none."""
        if self.timestamps_ns is None:
            return self.time_ns(self.window - 1)
        whole = self.timestamps_ns[0] + round((self.window - 1) * self.period_ns)
        row = int(np.searchsorted(self.timestamps_ns, whole, side="left"))
        return self.time_ns(row) if row < len(self.values) else int(whole)

    def sample(self, first: int, last: int) -> NDArray[Any] | plait.Series:
        """Rows first to last as plait.Model takes them."""
        values = self.values[first : last + 1]
        if self.timestamps_ns is None:
            return values
        return plait.Series(values, timestamps_ns=self.timestamps_ns[first : last + 1])


def read_recording(path: Path, modality: str, signal: Mapping[str, Any]) -> Recording:
    """Reads a .csv or .npy file as the modality whose `signal` the manifest describes.

    Raises SampleError where the file is neither, can't be read, or has other channels.
    """
    channels = [name.lstrip("-") for name in signal.get("sensor", signal)["channels"]]
    suffix = path.suffix.lower()
    timestamps: NDArray[np.int64] | None = None
    try:
        if suffix == ".csv":
            values, timestamps = _read_csv(path, modality, channels)
        elif suffix == ".npy":
            values = _read_npy(path, modality, channels)
        else:
            raise _error(
                path, modality, "a .csv or .npy file", suffix or "no suffix", "Convert it."
            )
    except OSError as error:
        raise _error(
            path, modality, "a file to read", error.strerror or str(error), "Check the path."
        ) from error
    window = int(signal["window"])
    # With time stamps the rows of a window are not known by number, only by their times.
    rows = window if timestamps is None else 2
    if len(values) < rows:
        raise _error(
            path,
            modality,
            f"at least one window of {window} samples",
            f"{len(values)} rows",
            "Record for longer.",
        )
    return Recording(modality, values, timestamps, window, float(signal["rate_hz"]))


def _error(path: Path, modality: str, expected: str, got: str, action: str) -> SampleError:
    where = f"{path}, modality {modality}"
    return SampleError(where=where, expected=expected, got=got, action=action)


def _read_npy(path: Path, modality: str, channels: Sequence[str]) -> NDArray[Any]:
    expected = f"an array [time, {len(channels)}] of float32, float64 or int16"
    action = "Save it with numpy.save, one row a sample."
    try:
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise _error(path, modality, expected, f"no NPY file ({error})", action) from error
    if values.ndim != 2 or values.shape[1] != len(channels):
        got = f"shape {list(values.shape)}"
        raise _error(path, modality, expected, got, action)
    if values.dtype not in (np.float32, np.float64, np.int16):
        raise _error(path, modality, expected, f"dtype {values.dtype}", action)
    return values


def _read_csv(
    path: Path, modality: str, channels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        header = [name.strip() for name in next(csv.reader(file), [])]
    columns = [_column(path, modality, header, channels, name) for name in channels]
    time = [(i, name) for i, name in enumerate(header) if name.lower() in _TIME_COLUMNS]
    values: NDArray[np.float64] = _parse(path, modality, columns, np.float64)
    if not time:
        return values, None
    if len(time) > 1:
        raise _error(
            path,
            modality,
            "at most one column of time",
            f"columns {', '.join(name for _, name in time)}",
            "Remove all but one.",
        )
    index, name = time[0]
    unit = _TIME_COLUMNS[name.lower()]
    if unit == 1:  # nanoseconds since 1970 don't fit a float64
        stamps = _parse(path, modality, [index], np.int64)[:, 0]
    else:
        seconds = _parse(path, modality, [index], np.float64)[:, 0]
        if not np.isfinite(seconds).all() or (np.abs(seconds) > 9e9).any():
            bad = int(np.argmax(~(np.abs(seconds) <= 9e9)))
            got = f"{seconds[bad]} in row {bad + 1}"
            raise _error(path, modality, f"seconds in column {name}", got, "Mend the column.")
        stamps = np.rint(seconds * unit).astype(np.int64)
    steps = np.diff(stamps)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        raise _error(
            path,
            modality,
            f"time stamps that increase from row to row in column {name}",
            f"{stamps[row - 1]} ns, then {stamps[row]} ns in row {row + 1}",
            "Sort the rows by time and drop doubles.",
        )
    return values, stamps


def _column(
    path: Path, modality: str, header: Sequence[str], channels: Sequence[str], name: str
) -> int:
    """The column of a channel: named after it ("x"), or ending so ("acc_x", "acc.x", "acc x")."""
    lower = [column.lower() for column in header]
    wanted = name.lower()
    matches = [i for i, column in enumerate(lower) if column == wanted] or [
        i for i, column in enumerate(lower) if column.endswith(tuple(f"{c}{wanted}" for c in "_. "))
    ]
    if len(matches) != 1:
        what = "no column" if not matches else f"{len(matches)} columns"
        raise _error(
            path,
            modality,
            f"a first line that names the columns {', '.join(channels)} (and t, time_s or "
            "timestamp_ns where it holds time)",
            f"{what} for channel {name} in: {', '.join(header) or 'an empty file'}",
            "Name every channel's column once.",
        )
    return matches[0]


def _parse(path: Path, modality: str, columns: Sequence[int], dtype: type) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no rows: an error of ours, further up
            values: NDArray[Any] = np.loadtxt(
                path,
                dtype=dtype,
                delimiter=",",
                skiprows=1,
                usecols=columns,
                ndmin=2,
                comments=None,
                encoding="utf-8-sig",
            )
    except (ValueError, UnicodeDecodeError) as error:
        raise _error(
            path, modality, "numbers in every row", str(error), "Mend or remove the row."
        ) from error
    return values
