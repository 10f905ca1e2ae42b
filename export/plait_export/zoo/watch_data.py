"""The smartwatch recordings of seglearn: found, checked, split by person, cut into windows.

Source: `seglearn` 1.2.5 (PyPI, BSD licence), `data/watch_dataset.npy`: 140 recordings, one for each
of 10 people, 7 shoulder exercises and 2 arms; each is a set of 20 repetitions, sampled at 50 Hz.
The study is Burns et al., "Shoulder physiotherapy exercise recognition: machine learning the
inertial signals from a smartwatch" (2018), arXiv:1802.01489.

Neither the package nor the file states a unit; the numbers do. Where the watch hardly turns, the
accelerometer's vector is 1.01 long (median), which is gravity in g. Over a forward elevation, the
gyroscope's y axis integrates to about 175 degrees when it is read in rad/s.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plait import ConfigError

DATA_NAME = "seglearn 1.2.5, watch_dataset.npy"
DATA_LICENSE = "BSD-3-Clause"
DATA_SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"

RATE_HZ = 50
WINDOW = 200
"""Rows the model sees: 4 s. A repetition lasts 0.9 to 2.6 s, so a whole one is always inside."""
STRIDE = 50
"""Rows from one measured window to the next: an answer a second, as an app would ask for."""

EXERCISES = (
    "pendulum",
    "abduction",
    "forward_elevation",
    "internal_rotation",
    "external_rotation",
    "trapezius_extension",
    "upright_row",
)
"""What the file calls PEN, ABD, FEL, IR, ER, TRAP, ROW, in that order."""


@dataclass(frozen=True)
class Recording:
    """One person doing one set of one exercise with one arm."""

    accelerometer: NDArray[np.float32]  # [time, 3], g, axes x y z of the watch
    gyroscope: NDArray[np.float32]  # [time, 3], rad/s, the same axes
    exercise: int  # index into EXERCISES
    subject: int  # 1 to 10
    right_arm: bool


@dataclass(frozen=True)
class Split:
    """Recordings to learn from and recordings of other people to be measured on."""

    fold: int
    folds: int
    training: tuple[Recording, ...]
    test: tuple[Recording, ...]

    @property
    def training_subjects(self) -> tuple[int, ...]:
        return tuple(sorted({recording.subject for recording in self.training}))

    @property
    def test_subjects(self) -> tuple[int, ...]:
        return tuple(sorted({recording.subject for recording in self.test}))


@dataclass(frozen=True)
class Windows:
    """Equally long pieces of recordings, as a sensor would deliver them."""

    accelerometer: NDArray[np.float32]  # [windows, WINDOW, 3], g
    gyroscope: NDArray[np.float32]  # [windows, WINDOW, 3], rad/s
    exercise: NDArray[np.int64]  # [windows]

    def __len__(self) -> int:
        return len(self.exercise)

    def sample(self, index: int) -> dict[str, NDArray[np.float32]]:
        """What `plait` and the exporter take: one [WINDOW, 3] array a modality."""
        return {"accelerometer": self.accelerometer[index], "gyroscope": self.gyroscope[index]}


def dataset_path() -> Path:
    """Where the installed seglearn keeps the file; seglearn itself is not imported.

    Raises ConfigError when seglearn is not installed.
    """
    package = importlib.util.find_spec("seglearn")
    if package is None or package.origin is None:
        raise ConfigError(
            where="watch recordings",
            expected="the package seglearn, which holds them, to be installed",
            got="no such package",
            action="pip install seglearn==1.2.5",
        )
    return Path(package.origin).parent / "data" / "watch_dataset.npy"


def load_recordings(path: Path | None = None) -> tuple[Recording, ...]:
    """All 140 recordings, from the installed seglearn or from a copy of its file at `path`.

    Raises FileNotFoundError, and ConfigError when it is another file than this model is about.
    """
    path = dataset_path() if path is None else path
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    # The file is a pickle, and a pickle runs code when it is read: only the known one is.
    if digest != DATA_SHA256:
        raise ConfigError(
            where=f"watch recordings, {path}",
            expected=f"SHA-256 {DATA_SHA256}",
            got=digest,
            action="pip install --force-reinstall seglearn==1.2.5",
        )
    table = np.load(io.BytesIO(content), allow_pickle=True).item()
    return tuple(
        Recording(
            accelerometer=np.ascontiguousarray(signal[:, :3], dtype=np.float32),
            gyroscope=np.ascontiguousarray(signal[:, 3:], dtype=np.float32),
            exercise=int(exercise),
            subject=int(subject),
            right_arm=bool(side),
        )
        for signal, exercise, subject, side in zip(
            table["X"], table["y"], table["subject"], table["side"], strict=True
        )
    )


def split(fold: int, folds: int = 5, recordings: Sequence[Recording] | None = None) -> Split:
    """Deals people out to folds in the order of their numbers; nobody is on both sides.

    With 5 folds, fold 0 measures on subjects 1 and 6, fold 1 on 2 and 7, and so on.
    Raises ConfigError for a fold that does not exist or more folds than people.
    """
    recordings = load_recordings() if recordings is None else recordings
    subjects = sorted({recording.subject for recording in recordings})
    if not 2 <= folds <= len(subjects) or not 0 <= fold < folds:
        raise ConfigError(
            where="watch split",
            expected=f"2 to {len(subjects)} folds, and a fold from 0 to folds - 1",
            got=f"fold {fold} of {folds}",
            action="There are no more folds than people; the first fold is 0.",
        )
    measured = set(subjects[fold::folds])
    return Split(
        fold=fold,
        folds=folds,
        training=tuple(each for each in recordings if each.subject not in measured),
        test=tuple(each for each in recordings if each.subject in measured),
    )


def windows(recordings: Sequence[Recording], stride: int = STRIDE) -> Windows:
    """Every window of every recording, `stride` rows apart, in order.

    Raises ConfigError when no recording is as long as a window.
    """
    pieces = [
        (recording, begin)
        for recording in recordings
        for begin in range(0, len(recording.accelerometer) - WINDOW + 1, stride)
    ]
    if not pieces:
        raise ConfigError(
            where="watch windows",
            expected=f"at least one recording of {WINDOW} rows or more",
            got="none",
            action="Give longer recordings.",
        )
    return Windows(
        accelerometer=np.stack([each.accelerometer[at : at + WINDOW] for each, at in pieces]),
        gyroscope=np.stack([each.gyroscope[at : at + WINDOW] for each, at in pieces]),
        exercise=np.array([each.exercise for each, _ in pieces], dtype=np.int64),
    )
