"""What is read of transformers' tokenizers prepares as they do; the rest is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from torch import nn

from plait import ConfigError
from plait_export import reference, text_from_transformers
from tests.cases import tokenizers

KEPT: dict[str, Any] = {
    "encoder": nn.Embedding(9, 9),
    "max_age_ms": 1000.0,
    "when_missing": "mask",
}
PADS = {"clip": "<|endoftext|>", "bert": "[PAD]", "t5": "<pad>", "llama2": "</s>"}


def fast(family: str, **said: Any) -> Any:
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.FAMILIES[family](),
        **{"pad_token": PADS[family], "model_max_length": 19, **said},
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", sorted(PADS))
def test_it_prepares_as_transformers_does(family: str, side: str, tmp_path: Path) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    random = np.random.default_rng(seed)
    tokenizer = fast(family, padding_side=side, truncation_side=side)
    tokenizer.save_pretrained(tmp_path)
    of_folder = text_from_transformers(tmp_path, mask=True, **KEPT)
    of_object = text_from_transformers(tokenizer, mask=True, **KEPT)
    assert of_folder.tokens == of_object.tokens == 19
    for _ in range(60):
        text = tokenizers.random_text(random)
        expected = tokenizer(text, padding="max_length", truncation=True)
        rows = np.array([[expected["input_ids"], expected["attention_mask"]]])
        for described in (of_folder, of_object):
            np.testing.assert_array_equal(
                reference.prepare(described, text), rows, err_msg=f"seed {seed}, {text!a}"
            )


def saved(folder: Path, **changed: Any) -> Path:
    """A folder of BERT's, with fields of its configuration changed or (None) left out."""
    fast("bert").save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    fields = {**json.loads(path.read_text()), **changed}
    path.write_text(json.dumps({k: v for k, v in fields.items() if v is not None}))
    return folder


@pytest.mark.parametrize(
    ("field", "changed", "said"),
    [
        ("model_max_length", {"model_max_length": 10**30}, {}),
        ("model_max_length", {}, {"tokens": 20}),
        ("pad_token", {"pad_token": None}, {}),
        ("pad_token", {"pad_token": "[NONE]"}, {}),
        ("padding_side", {"padding_side": "top"}, {}),
        ("split_special_tokens", {"split_special_tokens": True}, {}),
        ("add_bos_token", {"add_bos_token": False, "bos_token": "[CLS]"}, {}),
        ("add_eos_token", {"add_eos_token": True, "eos_token": "[MASK]"}, {}),
    ],
)
def test_what_a_text_cannot_represent_is_refused_by_field(
    field: str, changed: dict[str, Any], said: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=field):
        text_from_transformers(saved(tmp_path, **changed), **KEPT, **said)


def test_a_token_with_properties_and_stated_tokens_are_taken(tmp_path: Path) -> None:
    folder = saved(tmp_path, pad_token={"content": "[PAD]", "lstrip": False})
    described = text_from_transformers(folder, tokens=7, **KEPT)
    assert (described.tokens, described.pad_id) == (7, tokenizers.bert().token_to_id("[PAD]"))


def test_a_folder_without_a_tokenizer_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.json"):
        text_from_transformers(tmp_path, **KEPT)
    with pytest.raises(ConfigError, match="fast"):
        text_from_transformers(object(), **KEPT)
