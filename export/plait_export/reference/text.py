"""Token ids once more, by the library `tokenizers`, whose ids are the specification."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import ConfigError
from plait_export.describe import Text


def prepare_text(text: Text, sample: str) -> NDArray[np.int64]:
    """One text as the encoder's input: [1, tokens], or with mask [1, 2, tokens]."""
    tokenizer = _tokenizer(
        text.tokenizer_json, text.tokens, text.truncation, text.padding, text.pad_id
    )
    encoding = tokenizer.encode(sample, add_special_tokens=text.special_tokens)
    rows = [encoding.ids, encoding.attention_mask] if text.mask else encoding.ids
    return np.array([rows], dtype=np.int64)


def token_ids(text: Text, sample: str) -> list[int]:
    """The ids of a text, neither cut nor padded."""
    tokenizer = _tokenizer(text.tokenizer_json, 0, "", "", 0)
    return list(tokenizer.encode(sample, add_special_tokens=text.special_tokens).ids)


@lru_cache(maxsize=8)
def _tokenizer(json: bytes, tokens: int, truncation: str, padding: str, pad_id: int) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ConfigError(
            where="reference preprocessing of texts",
            expected="the package tokenizers, whose ids are the reference",
            got=str(error),
            action="Install it: pip install 'plait[export]'.",
        ) from error
    tokenizer = Tokenizer.from_str(json.decode())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if tokens == 0:
        return tokenizer
    tokenizer.enable_truncation(tokens, direction=truncation)
    tokenizer.enable_padding(direction=padding, pad_id=pad_id, length=tokens)
    return tokenizer
