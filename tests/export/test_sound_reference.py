"""The NumPy reference of sound against the libraries whose features it describes."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from plait_export import LogMel, Waveform, reference
from plait_export.reference.sound import resample_sound
from tests.cases.sounds import PEERS, Peer, at_16_khz, prompt, sound, sounds

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_features_are_the_librarys(peer: Peer, generator: np.random.Generator) -> None:
    recordings = sounds(generator)
    recordings["prompt"] = at_16_khz(prompt(generator), 8000)
    for name, values in recordings.items():
        if peer.compares(name):
            prepared = reference.prepare(peer.described(values), values)[0]
            print(name, peer.check(name, prepared, peer.compute(values)))


def test_resampling_is_the_sum_that_the_description_states(generator: np.random.Generator) -> None:
    for up, down in ((160, 441), (3, 1), (1, 3), (2, 1), (441, 160), (7, 8)):
        values = generator.normal(size=int(generator.integers(50, 400)))
        zeros, rolloff, beta = int(generator.integers(3, 40)), 0.93, 9.5
        resampled = resample_sound(values, Fraction(up, down), zeros, rolloff, beta)
        assert len(resampled) == int(np.ceil(len(values) * up / down))
        cutoff = rolloff * min(1.0, up / down)
        for m in generator.integers(0, len(resampled), 20):
            t = m * down / up - np.arange(len(values))
            inside = np.clip(1 - (cutoff * t / zeros) ** 2, 0, None)
            weights = cutoff * np.sinc(cutoff * t) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
            weights[np.abs(cutoff * t) >= zeros] = 0.0
            np.testing.assert_allclose(resampled[m], weights @ values, rtol=0, atol=1e-9)


def test_resampling_keeps_what_is_below_the_cut_off_and_drops_what_is_above() -> None:
    time = np.arange(48000) / 48000.0
    low, high = np.sin(2 * np.pi * 6000.0 * time), np.sin(2 * np.pi * 9000.0 * time)
    expected = np.sin(2 * np.pi * 6000.0 * np.arange(16000) / 16000.0)
    middle = slice(200, -200)
    kept = resample_sound(low, Fraction(1, 3))
    np.testing.assert_allclose(kept[middle], expected[middle], rtol=0, atol=1e-5)
    assert np.abs(resample_sound(high, Fraction(1, 3))[middle]).max() < 1e-5
    constant = resample_sound(np.ones(30000), Fraction(160, 441))
    np.testing.assert_allclose(constant[middle], 1.0, rtol=0, atol=1e-5)


def test_int16_counts_from_minus_one_to_one_and_channels_are_mixed_or_chosen() -> None:
    values = np.array([[-32768, 16384], [32767, 0]], np.int16)
    mean = reference.prepare(sound(Waveform(), window=2, sensor_channels=2), values)
    np.testing.assert_array_equal(mean[0], np.array([-0.25, 32767 / 65536], np.float32))
    second = sound(Waveform(), window=2, sensor_channels=2, channel=1)
    np.testing.assert_array_equal(reference.prepare(second, values)[0], [0.5, 0.0])


def test_what_does_not_fill_the_window(generator: np.random.Generator) -> None:
    values = generator.normal(size=7).astype(np.float32)

    def prepared(**fields: str) -> NDArray[np.float32]:
        window = 10 if "shorter" in fields else 4
        found: NDArray[np.float32] = reference.prepare(
            sound(Waveform(), window=window, **fields), values
        )[0]
        return found

    np.testing.assert_array_equal(prepared(shorter="zeros"), [*values, 0, 0, 0])
    np.testing.assert_array_equal(prepared(shorter="repeat"), [*values, *values[:3]])
    np.testing.assert_array_equal(prepared(longer="first"), values[:4])
    np.testing.assert_array_equal(prepared(longer="last"), values[3:])


def test_bands_that_no_frequency_falls_into_hold_the_floor() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        described = sound(LogMel.ast(128, frames=2), window=560)
        prepared = reference.prepare(described, np.zeros(560, np.float32))
    np.testing.assert_allclose(prepared * 9.1379948 - 4.2677393, np.log(2**-23), rtol=1e-6)
