"""A sound that comes in chunks has, bit for bit, the features that it has as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import plait
from plait_export import LogMel, Mfcc, Waveform
from tests.cases.sounds import model_of, sound

COUNT = 3001
FEATURES: dict[str, LogMel | Mfcc] = {
    "whisper": LogMel.whisper(range=0.0),
    "whisper_frames_first": LogMel.whisper(layout="NTF", range=0.0),
    "kaldi": LogMel.kaldi(40, snip_edges=False),
    "snipped": LogMel.kaldi(23, window="hamming"),
    "mfcc": Mfcc.kaldi(),
    "librosa": LogMel.librosa(20, fft=512, step=101, length=301, top_db=None),
    "normalised": LogMel.torchaudio(
        12, log="ln", mean=tuple(range(12)), std=tuple(range(1, 13)), drop_last=True
    ),
    "wide_steps": LogMel(length=30, step=311, fft=32, bins=3, edges="snip", floor=1e-9),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> plait.Model:
    """Windows of exactly COUNT samples; and the same of a microphone at three times the rate."""
    described = {
        name: sound(features, window=COUNT, sensor_channels=2)
        for name, features in FEATURES.items()
    }
    fast = sound(FEATURES["kaldi"], window=COUNT, sensor_rate_hz=44100, longer="first")
    wave = sound(Waveform(), window=COUNT)
    path = tmp_path_factory.mktemp("stream") / "stream.plait"
    return model_of(path, wave=wave, fast=fast, **described)


def rows_of(
    model: plait.Model, modality: str, values: NDArray[np.float32], cuts: Sequence[int]
) -> NDArray[np.float32]:
    """All rows of a sound that comes in pieces between the cuts."""
    stream = model.feature_stream(modality)
    pieces = np.split(values, sorted(cut % (len(values) + 1) for cut in cuts))
    rows = [stream.push(piece) for piece in pieces]
    return np.concatenate([*rows, stream.finish()])


def whole(model: plait.Model, modality: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """[frames, bands] of the whole sound."""
    prepared = model.prepare(modality, values)[0]
    layout = next(
        m["sound"]["layout"] for m in model.manifest["modalities"] if m["name"] == modality
    )
    return prepared if layout == "NTF" else prepared.T


def stereo(seed: int, count: int = COUNT) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0.0, 0.1, (count, 2)).astype(np.float32)


@pytest.mark.parametrize("name", FEATURES)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, COUNT), max_size=40))
def test_chunked_features_equal_those_of_the_whole(
    model: plait.Model, name: str, seed: int, cuts: list[int]
) -> None:
    values = stereo(seed)
    np.testing.assert_array_equal(rows_of(model, name, values, cuts), whole(model, name, values))


@pytest.mark.parametrize("name", ["kaldi", "whisper"])
def test_single_samples_are_chunks(model: plait.Model, name: str) -> None:
    values = stereo(1)
    rows = rows_of(model, name, values, range(1, COUNT))
    np.testing.assert_array_equal(rows, whole(model, name, values))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 9000), max_size=40))
def test_chunks_are_resampled_as_the_whole_is(
    model: plait.Model, seed: int, cuts: list[int]
) -> None:
    values = stereo(seed, int(COUNT * 44100 / 16000))[:, 0]
    np.testing.assert_array_equal(
        rows_of(model, "fast", values, cuts), whole(model, "fast", values)
    )


def test_rows_come_as_soon_as_their_samples_are_there(model: plait.Model) -> None:
    stream = model.feature_stream("snipped")
    values = stereo(2)
    assert stream.bands == 23
    assert [len(stream.push(values[:399])), len(stream.push(values[399:400]))] == [0, 1]
    assert [len(stream.push(values[400:559])), len(stream.push(values[559:560]))] == [0, 1]
    assert stream.finish().shape == (0, 23)


def test_a_new_sound_begins_after_the_end_a_reset_or_an_error(model: plait.Model) -> None:
    values = stereo(3)
    expected = whole(model, "kaldi", values)
    stream = model.feature_stream("kaldi")

    def again() -> NDArray[np.float32]:
        return np.concatenate([stream.push(values), stream.finish()])

    np.testing.assert_array_equal(again(), expected)
    np.testing.assert_array_equal(again(), expected)
    stream.push(values[:777])
    stream.reset()
    np.testing.assert_array_equal(again(), expected)
    stream.push(values[:777])
    with pytest.raises(plait.SampleError):
        stream.push(np.full((5, 2), np.nan, np.float32))
    np.testing.assert_array_equal(again(), expected)


def test_a_rate_that_changes_within_a_sound_is_refused(model: plait.Model) -> None:
    stream = model.feature_stream("kaldi")
    stream.push(plait.Sound(stereo(4), 44100))
    with pytest.raises(plait.SampleError, match="44100"):
        stream.push(plait.Sound(stereo(4), 48000))


def test_only_features_of_sound_are_streamed(model: plait.Model) -> None:
    with pytest.raises(plait.ConfigError, match="wave"):
        model.feature_stream("wave")
    with pytest.raises(plait.SampleError, match="nothing"):
        model.feature_stream("nothing")


def test_a_stream_outlives_its_model(model: plait.Model) -> None:
    loaded = plait.load(model.path, threads=1)
    stream = loaded.feature_stream("kaldi")
    del loaded
    values = stereo(5)
    rows = np.concatenate([stream.push(values), stream.finish()])
    np.testing.assert_array_equal(rows, whole(model, "kaldi", values))
