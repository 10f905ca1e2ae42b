"""Sounds are prepared as the libraries that models were trained with prepare them, and lawfully."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import plait
from plait_export import LogMel, Mfcc, Sound, Waveform, reference
from tests.cases.sounds import (
    PEERS,
    Peer,
    at_16_khz,
    film,
    kaldi_native,
    model_of,
    prompt,
    sound,
    sounds,
)

pytestmark = pytest.mark.filterwarnings("ignore")
Listen = Callable[..., plait.Model]
ONCE = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def listen(tmp_path: Path) -> Listen:
    """Makes a model with one microphone a description."""

    def made(**described: Sound) -> plait.Model:
        return model_of(tmp_path / "sounds.plait", **described)

    return made


def assert_defined(described: Sound, prepared: NDArray[Any], values: Any, **said: Any) -> float:
    """Within 1e-4 log units (or float32's steps) of the definition in float64."""
    expected = reference.prepare(described, values, **said)
    assert prepared.shape == expected.shape
    error = float(np.abs(prepared.astype(np.float64) - expected).max())
    assert error <= 1e-4 + 2.4e-7 * float(np.abs(expected).max()), described
    return error


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_features_are_the_librarys(
    peer: Peer, listen: Listen, generator: np.random.Generator
) -> None:
    recordings = sounds(generator)
    recordings["prompt"] = at_16_khz(prompt(generator), 8000)
    for name, values in recordings.items():
        described = peer.described(values)
        prepared = listen(ear=described).prepare("ear", values)
        print(peer.name, name, "definition", assert_defined(described, prepared, values))
        if peer.compares(name):
            print(peer.name, name, peer.check(name, prepared[0], peer.compute(values)))


def test_speech_at_its_own_rate_has_kaldis_features(
    listen: Listen, generator: np.random.Generator
) -> None:
    for _ in range(5):
        values = prompt(generator)
        features = LogMel.kaldi(40, rate_hz=8000)
        described = sound(features, rate_hz=8000, window=len(values))
        prepared = listen(ear=described).prepare("ear", values)
        assert_defined(described, prepared, values)
        peer = Peer(
            "kaldi, 40 bands", features, lambda x: kaldi_native(x, bins=40, rate=8000), single=True
        )
        print(peer.check("speech", prepared[0], peer.compute(values)))


def random_features(generator: np.random.Generator) -> LogMel | Mfcc:
    """Any combination of parameters."""

    def one(*choices: Any) -> Any:
        return choices[int(generator.integers(len(choices)))]

    fft = one(64, 90, 126, 400, 512, 600, 682, 750, 794)
    length = int(generator.integers(2, fft + 1))
    bins = int(generator.integers(1, 90))
    chosen: dict[str, Any] = {
        "length": length,
        "step": int(generator.integers(1, 500)),
        "fft": fft,
        "bins": bins,
        "window": one("hann", "hann_symmetric", "hamming", "hamming_symmetric", "povey",
                      "rectangular"),
        "edges": one("snip", "reflect", "zeros", "kaldi"),
        "drop_last": one(False, False, True),
        "remove_mean": one(False, True),
        "preemphasis": one(0.0, 0.97),
        "spectrum": one("power", "magnitude"),
        "low_hz": one(0.0, 20.0, 133.3),
        "high_hz": one(None, 3800.0),
        "scale": one("slaney", "htk", "kaldi"),
        "norm": one("slaney", "none"),
        "log": one("ln", "log10", "db", "none"),
        "floor": one(1e-10, 1e-5),
        "offset": one(0.0, 1e-6),
        "range": one(0.0, 3.0),
        "mean": one(0.0, tuple(generator.normal(size=bins))),
        "std": 1.5,
        "gain": one(1.0, 32768.0),
        "layout": one("NFT", "NTF"),
    }  # fmt: skip
    if chosen["log"] != "none":
        chosen["reference"] = one("one", "max")
    if one(True, False):
        return LogMel(**chosen)
    chosen["mean"] = 0.0
    coefficients = int(generator.integers(1, bins + 1))
    return Mfcc(**chosen, coefficients=coefficients, lifter=one(0.0, 22.0))


def test_any_features_are_what_they_are_defined_to_be(
    listen: Listen, generator: np.random.Generator
) -> None:
    time = np.arange(2001) / 8000.0
    for _ in range(60):
        features = random_features(generator)
        count = int(generator.integers(1300, 2001))
        described = sound(features, rate_hz=8000, window=count)
        tone = 0.3 * np.sin(2 * np.pi * generator.uniform(50, 3900) * time[:count])
        values = (tone + generator.normal(0.0, 0.05, count)).astype(np.float32)
        prepared = listen(ear=described).prepare("ear", values)
        expected = reference.prepare(described, values)
        error = np.abs(prepared.astype(np.float64) - expected).max()
        assert error <= 1e-4 + 1e-6 * np.abs(expected).max(), features


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 16001])
def test_another_rate_is_converted_by_the_stated_filter(
    rate: int, listen: Listen, generator: np.random.Generator
) -> None:
    values = generator.normal(0.0, 0.2, int(generator.integers(500, 4000))).astype(np.float32)
    described = sound(Waveform(), window=9001, shorter="zeros", longer="first", resampler_zeros=11)
    model = listen(ear=described)
    prepared = model.prepare("ear", plait.Sound(values, rate))
    expected = reference.prepare(described, values, sample_rate_hz=rate)
    np.testing.assert_allclose(prepared, expected, rtol=0, atol=1e-6)
    declared = sound(
        Waveform(), window=9001, shorter="zeros", longer="first", resampler_zeros=11,
        sensor_rate_hz=rate,
    )  # fmt: skip
    np.testing.assert_array_equal(listen(ear=declared).prepare("ear", values), prepared)


def test_a_film_in_six_channels_at_48_khz(listen: Listen) -> None:
    described = sound(
        LogMel.whisper(), window=480000, shorter="zeros", longer="first", sensor_rate_hz=48000,
        sensor_channels=6,
    )  # fmt: skip
    values = film()
    prepared = listen(ear=described).prepare("ear", values)
    assert_defined(described, prepared, values)


@pytest.mark.parametrize("name", ["shorter", "longer"])
def test_what_does_not_fill_the_window(
    name: str, listen: Listen, generator: np.random.Generator
) -> None:
    count = {"shorter": 701, "longer": 3001}[name]
    values = generator.normal(0.0, 0.2, count).astype(np.float32)
    features = LogMel.kaldi(20, pad=-3.0)
    for choice in {"shorter": ("zeros", "repeat", "pad"), "longer": ("first", "last")}[name]:
        described = sound(features, window=2000, **{name: choice})
        assert_defined(described, listen(ear=described).prepare("ear", values), values)


@pytest.fixture(scope="module")
def ear(tmp_path_factory: pytest.TempPathFactory) -> plait.Model:
    """Natural logarithms without a floor to speak of; and the mean of two channels."""
    features = LogMel(length=100, step=40, fft=128, bins=12, edges="snip", floor=1e-30)
    return model_of(
        tmp_path_factory.mktemp("ear") / "ear.plait",
        one=sound(features, rate_hz=8000, window=900),
        two=sound(features, rate_hz=8000, window=900, sensor_channels=2),
        right=sound(features, rate_hz=8000, window=900, sensor_channels=2, channel=1),
    )


def noise(seed: int, count: int = 900) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0.0, 0.1, count).astype(np.float32)


@ONCE
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-20, 20))
def test_gain_shifts_log_mel_by_a_constant(ear: plait.Model, seed: int, power: int) -> None:
    values = noise(seed)
    louder = ear.prepare("one", values * np.float32(2.0**power))
    expected = ear.prepare("one", values) + np.float32(2 * power * np.log(2.0))
    np.testing.assert_allclose(louder, expected, rtol=1e-6, atol=1e-5)


@ONCE
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 15))
def test_a_shift_by_whole_steps_shifts_frames(ear: plait.Model, seed: int, steps: int) -> None:
    values = noise(seed, 900 + 40 * steps)
    early, late = (ear.prepare("one", part)[0] for part in (values[:900], values[-900:]))
    np.testing.assert_array_equal(early[:, steps:], late[:, : early.shape[1] - steps])


@ONCE
@given(seed=st.integers(0, 2**32 - 1))
def test_equal_channels_mixed_are_one_of_them(ear: plait.Model, seed: int) -> None:
    values = noise(seed)
    both = np.stack([values, values], axis=1)
    np.testing.assert_array_equal(ear.prepare("two", both), ear.prepare("one", values))
    other = np.stack([noise(seed + 1), values], axis=1)
    np.testing.assert_array_equal(ear.prepare("right", other), ear.prepare("one", values))


@ONCE
@given(seed=st.integers(0, 2**32 - 1))
def test_memory_order_and_sample_type_do_not_matter(ear: plait.Model, seed: int) -> None:
    pcm = np.random.default_rng(seed).integers(-32768, 32768, (900, 2), dtype=np.int16)
    expected = ear.prepare("two", pcm)
    as_float = pcm.astype(np.float32) / np.float32(32768.0)
    planar = np.ascontiguousarray(as_float.T)
    wide = np.zeros((1800, 5), np.float32)
    wide[::2, 1:4:2] = as_float
    for same in (as_float, planar.T, wide[::2, 1:4:2], plait.Sound(pcm), plait.Sound(pcm, 8000)):
        np.testing.assert_array_equal(ear.prepare("two", same), expected)
    backwards = ear.prepare("two", pcm[::-1])
    np.testing.assert_array_equal(backwards, ear.prepare("two", pcm[::-1].copy()))


def test_silence_holds_the_floor(listen: Listen) -> None:
    model = listen(
        kaldi=sound(LogMel.kaldi(23), window=4000),
        whisper=sound(LogMel.whisper(), window=4000),
        voice=sound(Waveform(standardize=True), window=4000),
    )
    silence = np.zeros(4000, np.int16)
    assert (model.prepare("kaldi", silence) == np.float32(np.log(2.0**-23))).all()
    assert (model.prepare("whisper", silence) == np.float32(-1.5)).all()
    assert (model.prepare("voice", silence) == 0.0).all()


def test_a_standardized_waveform_has_no_mean_and_unit_variance(
    listen: Listen, generator: np.random.Generator
) -> None:
    values = generator.normal(0.3, 0.01, 5001).astype(np.float32)
    described = sound(Waveform(standardize=True), window=5001)
    prepared = listen(ear=described).prepare("ear", values).astype(np.float64)
    assert abs(prepared.mean()) < 1e-5 and abs(prepared.var() - 1.0) < 2e-3
    np.testing.assert_allclose(prepared, reference.prepare(described, values), rtol=0, atol=2e-5)


def test_a_prepared_sound_is_the_same_every_time(
    listen: Listen, generator: np.random.Generator
) -> None:
    values = sounds(generator)["film"]
    model = listen(ear=sound(LogMel.whisper(), window=len(values)))
    first = model.prepare("ear", values).copy()
    model.prepare("ear", generator.normal(size=len(values)).astype(np.float32))
    np.testing.assert_array_equal(model.prepare("ear", values), first)
