"""What a model takes as a sound, and what it says of anything else."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import plait
from plait_export import LogMel, Waveform
from tests.cases.sounds import model_of, sound


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> plait.Model:
    return model_of(
        tmp_path_factory.mktemp("sounds") / "sounds.plait",
        mono=sound(Waveform(), window=400),
        stereo=sound(LogMel.kaldi(20), window=800, sensor_channels=2, shorter="zeros"),
        padded=sound(LogMel.kaldi(20), window=800, shorter="pad", longer="last"),
    )


MONO = np.zeros(400, np.float32)
STEREO = np.zeros((800, 2), np.float32)


@pytest.mark.parametrize(
    ("modality", "values"),
    [
        ("mono", MONO.astype(np.float64)),
        ("mono", MONO.astype(np.uint8)),
        ("mono", MONO.astype(np.int32)),
        ("mono", np.zeros(0, np.float32)),
        ("mono", np.zeros((400, 2), np.float32)),
        ("mono", np.zeros((2, 2, 100), np.float32)),
        ("mono", np.zeros(399, np.float32)),
        ("mono", np.zeros(401, np.float32)),
        ("mono", np.where(np.arange(400) == 399, np.nan, 0).astype(np.float32)),
        ("mono", np.where(np.arange(400) == 7, np.inf, 0).astype(np.float32)),
        ("mono", plait.Sound(MONO, 8001)),
        ("mono", plait.Series(MONO[:, None])),
        ("mono", plait.Frame(np.zeros((4, 4, 3), np.uint8))),
        ("mono", "hello"),
        ("mono", object()),
        ("stereo", STEREO[:, 0]),
        ("stereo", STEREO.T),
        ("stereo", np.zeros((801, 2), np.float32)),
        ("stereo", np.zeros((0, 2), np.int16)),
        ("padded", np.zeros(399, np.float32)),
    ],
)
def test_what_is_no_such_sound_is_refused(model: plait.Model, modality: str, values: Any) -> None:
    with pytest.raises(plait.SampleError) as refusal:
        model.prepare(modality, values)
    assert modality in refusal.value.where
    assert all((refusal.value.expected, refusal.value.got, refusal.value.action))


def test_one_column_is_one_channel(model: plait.Model) -> None:
    pcm = np.arange(-200, 200, dtype=np.int16)
    expected = pcm.astype(np.float32)[None] / 32768.0
    for values in (pcm, pcm[:, None], plait.Sound(pcm[:, None])):
        np.testing.assert_array_equal(model.prepare("mono", values), expected)


def test_a_refused_sound_leaves_the_model_usable(model: plait.Model) -> None:
    expected = model.prepare("stereo", STEREO).copy()
    bad = STEREO.copy()
    bad[400, 1] = np.nan
    with pytest.raises(plait.SampleError):
        model.prepare("stereo", bad)
    np.testing.assert_array_equal(model.prepare("stereo", STEREO), expected)


def test_absurd_rates_are_refused(model: plait.Model) -> None:
    for rate in (1e-3, 0.5, 3e9, 1e300, 999_983.0):
        with pytest.raises(plait.SampleError, match="mono"):
            model.prepare("mono", plait.Sound(MONO, rate))


def test_a_sound_is_checked_when_it_is_made() -> None:
    for rate in (0, -1.0, float("nan"), float("inf"), "16000", True):
        with pytest.raises(plait.SampleError, match="sample_rate_hz"):
            plait.Sound(MONO, cast(Any, rate))
    assert plait.Sound(MONO).sample_rate_hz is None
    assert plait.Sound(MONO, np.int64(16000)).sample_rate_hz == 16000.0


def test_a_missing_sound_is_absent(model: plait.Model) -> None:
    answer = model(mono=MONO, stereo=None, padded=None)
    assert answer.presence == {"mono": "fresh", "stereo": "absent", "padded": "absent"}
