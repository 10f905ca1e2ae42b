"""What a user says of a model is checked when it is said."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import subprocess
import sys
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import plait
from plait_export import Classification, Deployment, Embedding, Regression, Signal, Space
from plait_export.describe import QUANTITIES, unit_factor
from tests.export.models import LABELS, Encoder, Fusion, signal

ENCODER = Encoder(3, 4)
UNITS = [unit for quantity in QUANTITIES for unit in quantity]


def deployment(**changes: Any) -> Deployment:
    said: dict[str, Any] = {
        "name": "one",
        "modalities": {"motion": signal(Encoder(3, 4), 3, 37)},
        "heads": {"activity": Classification(Fusion((4,), 3), labels=LABELS)},
    }
    return Deployment(**{**said, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"modalities": {}}, "at least one modality"),
        ({"heads": {}}, "at least one head"),
        ({"modalities": {"Motion": signal(Encoder(3, 4), 3, 37)}}, "lower-case"),
        ({"modalities": {"m" * 57: signal(Encoder(3, 4), 3, 37)}}, "at most 56"),
        ({"modalities": {"presence": signal(Encoder(3, 4), 3, 37)}}, "presence"),
        ({"modalities": {"motion": Encoder(3, 4)}}, "Signal"),
        ({"heads": {"encode": Classification(Fusion((4,), 3), labels=LABELS)}}, "encode"),
        ({"heads": {"activity": Fusion((4,), 3)}}, "Classification"),
        ({"heads": {"activity": Classification(Fusion((4,), 3), labels=[])}}, "labels"),
        ({"heads": {"activity": Classification(Fusion((4,), 3), labels="abc")}}, "labels"),
        ({"heads": {"activity": Classification(Fusion((4,), 3), labels=("a", "a"))}}, "'a'"),
        ({"heads": {"activity": Classification(cast(Any, 3), labels=LABELS)}}, "torch.nn.Module"),
        (
            {"heads": {"a": Classification(Fusion((4,), 3), labels=LABELS, modalities=["sound"])}},
            "sound",
        ),
        (
            {"heads": {"a": Regression(Fusion((4,), 2), labels=("p", "w"), units=("W",))}},
            "one unit for each of 2",
        ),
        (
            {
                "modalities": {
                    "motion": signal(Encoder(3, 4), 3, 37),
                    "unused": signal(Encoder(3, 4), 3, 37),
                },
                "heads": {"person": Embedding(Fusion((4,), 3), modalities=["motion"])},
            },
            "unused",
        ),
        (
            {"heads": {"a": Embedding(Fusion((4,), 3), space=Space("room", logit_scale=0.0))}},
            "logit_scale",
        ),
        ({"heads": {"a": Embedding(Fusion((4,), 3), space=Space("A room"))}}, "space name"),
    ],
)
def test_a_wrong_deployment_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(plait.ConfigError, match=words):
        deployment(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoder": lambda sample: sample}, "torch.nn.Module"),
        ({"channels": 0}, "from 1 to 4096"),
        ({"channels": True}, "from 1 to 4096"),
        ({"channels": 10**9}, "from 1 to 4096"),
        ({"window": 10**9}, "from 1 to 10000000"),
        ({"channels": "xyz"}, "channels"),
        ({"channels": ("x", "y", "x")}, "'x' more than once"),
        ({"channels": ("x", "-y", "z")}, "without a sign"),
        ({"sensor_channels": ("x", "y")}, "without z"),
        ({"sensor_channels": ("x", "-x", "y", "z")}, "'x' more than once"),
        ({"rate_hz": 0.0}, "rate_hz"),
        ({"rate_hz": math.nan}, "rate_hz"),
        ({"rate_hz": "50"}, "rate_hz"),
        ({"rate_tolerance": 1.0}, "rate_tolerance"),
        ({"rate_tolerance": -0.1}, "rate_tolerance"),
        ({"window": 0}, "window"),
        ({"window": 2.5}, "window"),
        ({"max_age_ms": -1}, "max_age_ms"),
        ({"max_gap_ms": math.inf}, "max_gap_ms"),
        ({"when_missing": "guess"}, "when_missing"),
        ({"layout": "TNC"}, "layout"),
        ({"unit": ""}, "unit"),
        ({"sensor_unit": "rad/s"}, "converted to 'm/s\\^2'"),
        ({"unit": "furlong", "sensor_unit": "m"}, "converted to 'furlong'"),
        ({"mean": (1.0, 2.0)}, "each of 3 channels"),
        ({"mean": (1.0, 2.0, math.nan)}, "finite mean"),
        ({"std": (1.0, 0.0, 1.0)}, "finite std above 0"),
        ({"std": (1.0, -1.0, 1.0)}, "finite std above 0"),
        ({"std": (1.0, math.inf, 1.0)}, "finite std above 0"),
    ],
)
def test_a_wrong_signal_is_refused_by_the_name_of_its_modality(
    changes: dict[str, Any], words: str
) -> None:
    wrong: dict[str, Any] = {"channels": 3, "window": 37, "encoder": Encoder(3, 4), **changes}
    with pytest.raises(plait.ConfigError, match=words) as raised:
        deployment(modalities={"motion": signal(**wrong)})
    assert "modality motion" in raised.value.where
    assert raised.value.expected and raised.value.got and raised.value.action


def test_what_is_left_out_has_the_documented_meaning() -> None:
    left_out = signal(Encoder(3, 4), 3, 37)
    assert left_out.channel_names == left_out.sensor_channel_names == ("x", "y", "z")
    assert left_out.means == (0.0,) * 3
    assert left_out.stds == (1.0,) * 3
    assert left_out.raw_unit == "m/s^2"
    assert left_out.largest_gap_ms == pytest.approx(3 * 1000.0 / 50.0)
    assert left_out.input_shape() == (3, 37)
    assert signal(Encoder(3, 4), 5, 37, layout="NTC").input_shape() == (37, 5)
    assert deployment().head_modalities("activity") == ("motion",)


@given(st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_converting_there_and_back_changes_nothing(one: str, other: str) -> None:
    there, back = unit_factor(one, other), unit_factor(other, one)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert there * back == pytest.approx(1.0, rel=1e-15)


def test_known_conversions() -> None:
    assert unit_factor("g", "m/s^2") == 9.80665
    assert unit_factor("deg/s", "rad/s") == pytest.approx(math.radians(1.0), rel=1e-15)
    assert unit_factor("uT", "T") == 1e-6
    assert unit_factor("V", "mV") == 1000.0
    assert unit_factor("bar", "bar") == 1.0
    assert unit_factor("g", "rad/s") is None
    assert unit_factor("bar", "Pa") is None


def test_describing_does_not_import_torch() -> None:
    code = "import sys, plait_export; sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_signal_is_made_by_keyword_only() -> None:
    with pytest.raises(TypeError):
        Signal(Encoder(3, 4), 3)  # type: ignore[call-arg]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.lists(st.one_of(st.floats(), st.text(max_size=3), st.none()), max_size=4),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.just(10**400),
    st.just(object()),
)
FIELDS = [field.name for field in dataclasses.fields(Signal)]


@given(st.dictionaries(st.sampled_from(FIELDS), JUNK, min_size=1, max_size=3))
def test_whatever_is_said_is_taken_or_refused_with_a_config_error(junk: dict[str, Any]) -> None:
    said: dict[str, Any] = {"encoder": ENCODER, "channels": 3, "window": 37, **junk}
    try:
        taken = deployment(modalities={"motion": signal(**said)}).modalities["motion"]
    except plait.ConfigError as error:
        assert error.where and error.expected and error.got and error.action
    else:
        count = len(taken.channel_names)
        assert len(taken.means) == len(taken.stds) == count >= 1
        assert all(std > 0.0 for std in taken.stds)


@given(st.fixed_dictionaries({}, optional={"name": JUNK, "modalities": JUNK, "heads": JUNK}))
def test_whatever_a_deployment_is_made_of_is_taken_or_refused(junk: dict[str, Any]) -> None:
    with contextlib.suppress(plait.ConfigError):
        assert deployment(**junk).name
