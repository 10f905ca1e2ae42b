"""A decoder's two graphs, its description and its gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from plait import ConfigError, load
from plait_export import Generation, cached_attention, exact_match, word_agreement
from plait_export.errors import ExportError
from plait_export.progress import silent
from plait_export.trace import trace
from tests.cases import caption_bundle
from tests.cases.caption_bundle import Captioner

Captions = tuple[Captioner, Path, Any]


def test_cached_attention_equals_torch_over_what_was_said() -> None:
    seed = torch.seed()
    print(f"seed: {seed}")
    batch, heads, length, size, position = 3, 2, 11, 5, 7
    query, key, value = torch.randn(3, batch, heads, size)
    keys, values = torch.randn(2, batch, heads, length, size)
    bias = torch.randn(heads, length)
    place = torch.full((batch, 1), position)
    ours = cached_attention(
        query, keys, values, new_key=key, new_value=value, position=place, bias=bias
    )
    seen = [
        torch.cat((old[:, :, :position], new[:, :, None]), dim=2)
        for old, new in ((keys, key), (values, value))
    ]
    theirs = nn.functional.scaled_dot_product_attention(
        query[:, :, None], *seen, attn_mask=bias[:, None, : position + 1]
    )
    torch.testing.assert_close(ours, theirs[:, :, 0], rtol=1e-4, atol=1e-5)


def test_int8_is_tried_on_the_decoder_and_says_what_the_core_says(captions: Captions) -> None:
    _, path, report = captions
    tried = [attempt for attempt in report.attempts if attempt.precision == "int8"]
    assert any(attempt.scheme == "dynamic-u8u8-matmul" and attempt.passed for attempt in tried)
    assert {score.metric for attempt in tried for score in attempt.scores} == {"word_agreement"}
    graphs = {row.graph for row in report.parity}
    assert "caption_step" in graphs
    said = load(path, precision="int8").generate("caption", **caption_bundle.samples(1, 4)[0])
    assert said.text == " ".join(f"w{token - 4}" for token in said.tokens)


def test_metrics_compare_texts() -> None:
    texts = np.array(["a b c", "a", ""], dtype=object)
    targets = np.array(["a b d", "a", ""], dtype=object)
    assert exact_match(texts, targets) == pytest.approx(2 / 3)
    assert word_agreement(texts, targets) == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert word_agreement(np.array(["a"]), np.array(["a b"])) == 0.5


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"module": nn.Linear(1, 1)}, "memory and step"),
        ({"labels": ["a"] * 61}, "a tokenizer with its vocabulary, or labels"),
        ({"tokenizer": None}, "a tokenizer with its vocabulary, or labels"),
        ({"start": []}, "start as ids below 61"),
        ({"end": [61]}, "end as ids below 61"),
        ({"pad": -1}, "pad as ids"),
        ({"layers": 0}, "layers"),
        ({"tokenizer": b"{}"}, "tokenizer.json"),
    ],
)
def test_a_wrong_description_is_told_at_once(
    captions: Captions, change: dict[str, Any], part: str
) -> None:
    deployment = captions[0].deployment
    head = replace(deployment.heads["caption"], **change)
    with pytest.raises(ConfigError, match=part):
        replace(deployment, heads={"caption": head})


def test_a_cache_of_another_shape_is_told(captions: Captions) -> None:
    deployment = captions[0].deployment
    head = deployment.heads["caption"]
    assert isinstance(head, Generation)
    wrong = replace(deployment, heads={"caption": replace(head, head_size=7)})
    with pytest.raises(ExportError, match="head caption, step"):
        trace(wrong, caption_bundle.samples(2, 1), silent)
