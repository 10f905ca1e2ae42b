"""Real samples are checked before anything is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plait
from plait_export import Deployment
from plait_export.samples import check_held_out, check_samples
from tests.export.models import Encoder, one_modality, raw_samples, three_modalities


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return one_modality(Encoder(3, 4), 4)


def window(shape: tuple[int, ...] = (37, 3), dtype: str = "float32") -> np.ndarray[Any, Any]:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ({}, "exactly motion"),
        ({"motion": window(), "sound": window()}, "exactly motion"),
        ([window()], "exactly motion"),
        ({"motion": None}, "NumPy array"),
        ({"motion": window().tolist()}, "NumPy array"),
        ({"motion": window(dtype="int32")}, "int32"),
        ({"motion": window((36, 3))}, r"shape \[37, 3\], got shape \[36, 3\]"),
        ({"motion": window((3, 37))}, r"shape \[37, 3\]"),
        ({"motion": window((1, 37, 3))}, r"shape \[37, 3\]"),
        ({"motion": np.full((37, 3), np.nan, "float32")}, "111 that are NaN"),
        ({"motion": np.full((37, 3), -np.inf)}, "infinite"),
    ],
)
def test_a_wrong_sample_is_refused_by_its_index(
    deployment: Deployment, sample: Any, words: str
) -> None:
    with pytest.raises(plait.ConfigError, match=words) as raised:
        check_samples(deployment, [{"motion": window()}, sample], "calibration")
    assert "calibration, sample 1" in raised.value.where


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_what_a_sensor_gives_is_taken(deployment: Deployment, dtype: str) -> None:
    assert len(check_samples(deployment, [{"motion": window(dtype=dtype)}] * 3, "some")) == 3


def test_no_samples_are_refused(deployment: Deployment) -> None:
    for nothing in (None, 3):
        with pytest.raises(plait.ConfigError, match="a list of samples"):
            check_samples(deployment, nothing, "calibration")  # type: ignore[arg-type]
        with pytest.raises(plait.ConfigError, match="a list of samples"):
            check_held_out(deployment, nothing)  # type: ignore[arg-type]
    with pytest.raises(plait.ConfigError, match="at least one sample"):
        check_samples(deployment, [], "calibration")
    with pytest.raises(plait.ConfigError, match="at least one sample"):
        check_held_out(deployment, [])


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ({"motion": window()}, "a pair"),
        (({"motion": window()},), "a pair"),
        (({"motion": window()}, 3), "from 0 to 2"),
        (({"motion": window()}, -1), "from 0 to 2"),
        (({"motion": window()}, True), "from 0 to 2"),
        (({"motion": window()}, 1.0), "from 0 to 2"),
        (({"motion": window()}, "swim"), "rest, walk, run"),
        (({"motion": window()}, {"other": 1}), "a target for head activity"),
    ],
)
def test_a_wrong_target_is_refused(deployment: Deployment, pair: Any, words: str) -> None:
    with pytest.raises(plait.ConfigError, match=words):
        check_held_out(deployment, [({"motion": window()}, 0), pair])


def test_targets_may_be_labels_indices_or_a_dict(deployment: Deployment) -> None:
    targets = ["run", 0, np.int64(1), {"activity": "walk"}]
    held_out = check_held_out(deployment, [({"motion": window()}, t) for t in targets])
    assert held_out.targets["activity"].tolist() == [2, 0, 1, 1]


def test_several_heads_need_a_target_each(generator: np.random.Generator) -> None:
    deployment = three_modalities(0)
    sample = raw_samples(deployment, generator, 1)[0]
    targets = {"activity": "run", "effort": (90.0, 250.0), "person": np.ones(5)}
    held_out = check_held_out(deployment, [(sample, targets)] * 4)
    assert held_out.targets["effort"].shape == (4, 2)
    assert held_out.targets["person"].shape == (4, 5)
    with pytest.raises(plait.ConfigError, match="a dict with a target for each"):
        check_held_out(deployment, [(sample, 1)])
    with pytest.raises(plait.ConfigError, match="targets with 2 values"):
        check_held_out(deployment, [(sample, {**targets, "effort": 90.0})])
    with pytest.raises(plait.ConfigError, match="numbers, all of one shape"):
        check_held_out(deployment, [(sample, {**targets, "person": "me"})])
