"""Texts through a model: ids as the library gives them, banks, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tokenizers as library

import plait
from plait.doctor import replay
from plait.kinds import text as kind
from tests.cases import tokenizers
from tests.cases.text_bundle import BANK, export_text_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "robot.plait"
    export_text_bundle(path, seed=5)
    return path


@pytest.fixture(scope="module")
def bank_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "bank.plait"
    export_text_bundle(path, seed=5, commands=BANK, encoder_in_bundle=False)
    return path


@pytest.fixture(scope="module")
def model(bundle: Path) -> plait.Model:
    return plait.load(bundle, precision="fp32")


def expected_ids(path: Path, name: str, text: str) -> np.ndarray:
    """By the library, cut and padded as the manifest says."""
    bundle = plait.Bundle(path)
    section = next(m["text"] for m in bundle.manifest["modalities"] if m["name"] == name)
    reference = library.Tokenizer.from_str(bytes(bundle.read(section["tokenizer"])).decode())
    reference.enable_truncation(section["tokens"], direction=section["truncation"])
    padding = section["padding"]
    reference.enable_padding(
        direction=padding["side"], pad_id=padding["id"], length=section["tokens"]
    )
    encoding = reference.encode(text, add_special_tokens=section["special_tokens"])
    rows = [encoding.ids, encoding.attention_mask] if section["mask"] else encoding.ids
    return np.array([rows])


@pytest.mark.parametrize("name", ["command", "caption"])
def test_prepared_texts_equal_the_library(model: plait.Model, bundle: Path, name: str) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    random = np.random.default_rng(seed)
    for _ in range(300):
        text = tokenizers.random_text(random)
        prepared = model.prepare(name, text)
        assert prepared.dtype == np.int64
        np.testing.assert_array_equal(
            prepared, expected_ids(bundle, name, text), err_msg=f"seed {seed}, {text!a}"
        )


def test_numpy_texts_are_texts(model: plait.Model) -> None:
    expected = model.prepare("command", "a cat")
    for same in (np.str_("a cat"), np.array("a cat")):
        np.testing.assert_array_equal(model.prepare("command", same), expected)


@pytest.mark.parametrize("value", [b"a cat", 3, np.array(["a", "b"]), np.zeros(3, np.float32)])
def test_what_is_no_text_is_refused(model: plait.Model, value: object) -> None:
    with pytest.raises(plait.SampleError, match="expected a str"):
        model.prepare("command", value)


def test_a_bank_answers_without_an_encoder(model: plait.Model) -> None:
    for prompt in BANK:
        known = np.array(model.encode("command", prompt))
        encoded = model.encode_prepared("command", np.array(model.prepare("command", prompt)))
        np.testing.assert_allclose(known, encoded, rtol=1e-4, atol=1e-5)
    banked = model(command=BANK[0], caption=None, gyroscope=None)
    encoded = model(command="none of them", caption=None, gyroscope=None)
    assert banked.timings_ms["encode"] == 0.0
    assert encoded.timings_ms["encode"] > 0.0


def test_a_bundle_without_the_encoder_takes_the_bank_only(
    bank_only: Path, model: plait.Model
) -> None:
    manifest = plait.Bundle(bank_only).manifest
    assert not [g for g in manifest["graphs"] if g["name"] == "command_encoder"]
    assert not [m for m in manifest["members"] if "command_encoder" in m]
    bank = plait.load(bank_only, precision="fp32")
    np.testing.assert_array_equal(bank.encode("command", "stop"), model.encode("command", "stop"))
    answer = bank(command="stop", caption=None, gyroscope=None)
    assert answer.presence["command"] == "fresh"
    with pytest.raises(plait.SampleError, match=r"closest are 'stop'"):
        bank(command="Stop!!", caption=None, gyroscope=None)
    with pytest.raises(plait.ConfigError, match="encoder in the bundle"):
        bank.encode_prepared("command", np.array(bank.prepare("command", "stop")))


@pytest.mark.parametrize("which", ["bundle", "bank_only"])
def test_the_doctor_finds_nothing(which: str, request: pytest.FixtureRequest) -> None:
    diagnosis = replay(request.getfixturevalue(which))
    assert diagnosis.checks
    assert not [check for check in diagnosis.checks if not check.ok]
    assert not diagnosis.unchecked


def test_inspect_says_what_a_text_is(bundle: Path) -> None:
    section = plait.Bundle(bundle).manifest["modalities"][0]["text"]
    said = "\n".join(kind.lines(section))
    assert "21 tokens" in said
    assert "3 prompts" in said


def test_the_command_line_takes_a_text_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text("größer\n", encoding="utf-8")
    assert kind.read_text(str(path), "command") == "größer"
    assert kind.read_text("a prompt", "command") == "a prompt"
    with pytest.raises(plait.SampleError, match=r"none\.txt"):
        kind.read_text(str(tmp_path / "none.txt"), "command")


def test_export_refuses_what_the_core_lacks_by_name(tmp_path: Path) -> None:
    from torch import nn

    from plait_export import Text

    path = tmp_path / "tokenizer.json"
    document = json.loads(tokenizers.bert().to_str())
    document["pre_tokenizer"] = {"type": "UnicodeScripts"}
    path.write_text(json.dumps(document))
    text = Text(
        encoder=nn.Embedding(9, 9), tokenizer=path, tokens=9, pad_id=0, max_age_ms=9.0,
        when_missing="mask",
    )  # fmt: skip
    with pytest.raises(plait.ConfigError, match="UnicodeScripts"):
        text.check("modality prompt")
