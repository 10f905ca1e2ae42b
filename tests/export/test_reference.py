"""The NumPy reference and the core prepare the same input: neither was written from the other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.interpolate import interp1d

import plait
from plait_export import reference
from plait_export.graphs import relative_error
from tests.export.conftest import Exported
from tests.export.models import Encoder, raw_samples, signal

# float32 arithmetic on one side, float64 on the other.
ROUNDING = 1e-6


def test_a_window_is_prepared_as_the_core_does(
    exported: Exported, generator: np.random.Generator
) -> None:
    model = plait.load(str(exported.path))
    for sample in raw_samples(exported.deployment, generator, 20):
        for name, described in exported.deployment.modalities.items():
            expected = reference.prepare(described, sample[name])
            prepared = model.prepare(name, sample[name])
            assert prepared.shape == expected.shape == (1, *described.input_shape())
            assert relative_error(prepared, expected) < ROUNDING


@pytest.mark.parametrize("dtype", ["int16", "float64"])
def test_other_types_are_prepared_as_the_core_does(
    exported: Exported, generator: np.random.Generator, dtype: str
) -> None:
    model = plait.load(str(exported.path))
    described = exported.deployment.modalities["turning"]
    window = (generator.normal(size=(29, 4)) * 300.0).astype(dtype)
    expected = reference.prepare(described, window)
    assert relative_error(model.prepare("turning", window), expected) < ROUNDING


def test_a_jittery_series_is_resampled_as_the_core_does(
    exported: Exported, generator: np.random.Generator
) -> None:
    model = plait.load(str(exported.path))
    for name, described in exported.deployment.modalities.items():
        period = 1e9 / described.rate_hz
        rows = described.window + int(generator.integers(3, 9))
        jitter = generator.uniform(-0.3, 0.3, rows)
        stamps = ((np.arange(rows) + jitter) * period).astype(np.int64) + 1_700_000_000_123_456_789
        values = np.cumsum(generator.normal(size=(rows, len(described.sensor_channel_names))), 0)
        series = plait.Series(values, timestamps_ns=stamps)
        expected = reference.prepare(described, values, timestamps_ns=stamps)
        assert relative_error(model.prepare(name, series), expected) < 1e-5


def test_a_stated_unit_is_converted_as_the_core_does(
    exported: Exported, generator: np.random.Generator
) -> None:
    model = plait.load(str(exported.path))
    described = exported.deployment.modalities["motion"]
    window = generator.normal(size=(37, 5))
    series = plait.Series(window, unit="g")
    expected = reference.prepare(described, window, unit="g")
    assert relative_error(model.prepare("motion", series), expected) < ROUNDING
    in_unit = reference.prepare(described, window * 9.80665)
    assert relative_error(expected, in_unit) < ROUNDING


def test_axes_signs_units_and_normalisation_by_hand() -> None:
    described = signal(
        Encoder(2, 4),
        ("up", "east"),
        3,
        unit="rad/s",
        sensor_unit="deg/s",
        sensor_channels=("heat", "-east", "up"),
        mean=(1.0, 2.0),
        std=(0.5, 4.0),
    )
    raw = np.array([[9.0, 90.0, 180.0], [9.0, -90.0, 0.0], [9.0, 0.0, 360.0]])
    expected = [
        [(math.pi - 1) / 0.5, (0 - 1) / 0.5, (2 * math.pi - 1) / 0.5],
        [(-math.pi / 2 - 2) / 4, (math.pi / 2 - 2) / 4, (0 - 2) / 4],
    ]
    np.testing.assert_allclose(reference.prepare(described, raw)[0], expected, rtol=1e-6)


def test_resampling_is_linear_interpolation(generator: np.random.Generator) -> None:
    stamps = np.cumsum(generator.integers(5_000_000, 15_000_000, 60)).astype(np.int64)
    series = generator.normal(size=(60, 3))
    resampled = reference.resample(series, stamps, 100.0, 21)
    wanted = stamps[-1] / 1e9 - np.arange(20, -1, -1) / 100.0
    expected = interp1d(stamps / 1e9, series, axis=0)(wanted)
    np.testing.assert_allclose(resampled, expected, rtol=1e-6, atol=1e-9)


def test_stamps_since_1970_are_as_exact_as_stamps_since_now(
    generator: np.random.Generator,
) -> None:
    stamps = np.cumsum(generator.integers(8_000_000, 12_000_000, 50)).astype(np.int64)
    series = generator.normal(size=(50, 2))
    near = reference.resample(series, stamps, 100.0, 31)
    far = reference.resample(series, stamps + 1_800_000_000_000_000_007, 100.0, 31)
    np.testing.assert_array_equal(near, far)


def test_a_foreign_unit_is_refused() -> None:
    with pytest.raises(plait.ConfigError, match=r"converted to 'm/s\^2'"):
        reference.prepare(signal(Encoder(3, 4), 3, 5), np.zeros((5, 3)), unit="uT")
