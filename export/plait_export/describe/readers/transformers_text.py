"""A transformers tokenizer to a Text."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait import ConfigError, Tokenizer
from plait_export.describe.common import WhenMissing
from plait_export.describe.text import MOST_TOKENS, SIDES, Side, Text, loaded

if TYPE_CHECKING:
    from torch import nn

_CONFIG = "tokenizer_config.json"


@dataclass(frozen=True)
class _Source:
    """A tokenizer.json, and what transformers keeps beside it."""

    where: str
    json: bytes
    fields: Mapping[str, Any]
    tokenizer: Tokenizer

    def refuse(self, field: str, expected: str, got: object, action: str) -> ConfigError:
        return ConfigError(
            where=f"{self.where}, {field}", expected=expected, got=repr(got), action=action
        )


def text_from_transformers(
    tokenizer: Any,
    *,
    encoder: nn.Module,
    max_age_ms: float,
    when_missing: WhenMissing,
    tokens: int | None = None,
    mask: bool = False,
    special_tokens: bool = True,
    bank: Sequence[str] | None = None,
    encoder_in_bundle: bool = True,
) -> Text:
    """A text's description out of a transformers tokenizer, as it pads to "max_length".

    tokenizer: a fast tokenizer, or the folder that save_pretrained wrote, which is read without
        transformers.
    tokens: ids the encoder sees; None: the tokenizer's model_max_length.
    encoder, mask, special_tokens, bank, encoder_in_bundle, max_age_ms, when_missing: as in Text.

    Raises ConfigError, with the field and the reason, for what a Text can't represent exactly.
    """
    source = _read(tokenizer)
    _check_special_tokens(source)
    return Text(
        encoder=encoder,
        tokenizer=source.json,
        tokens=_tokens(source, tokens),
        pad_id=_pad_id(source),
        mask=mask,
        special_tokens=special_tokens,
        truncation=_side(source, "truncation_side"),
        padding=_side(source, "padding_side"),
        bank=bank,
        encoder_in_bundle=encoder_in_bundle,
        max_age_ms=max_age_ms,
        when_missing=when_missing,
    )


def _read(tokenizer: Any) -> _Source:
    if isinstance(tokenizer, (str, os.PathLike)):
        return _read_folder(Path(tokenizer))
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(
            where="tokenizer",
            expected="a fast tokenizer of transformers, or the folder it was saved to",
            got=type(tokenizer).__name__,
            action="Slow tokenizers have no tokenizer.json: load it with use_fast=True.",
        )
    fields = {
        "model_max_length": tokenizer.model_max_length,
        "pad_token": tokenizer.pad_token,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "split_special_tokens": getattr(tokenizer, "split_special_tokens", False),
    }
    where = type(tokenizer).__name__
    data = backend.to_str().encode()
    return _Source(where, data, fields, loaded(where, data))


def _read_folder(folder: Path) -> _Source:
    try:
        data = (folder / "tokenizer.json").read_bytes()
        fields = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            where=str(folder),
            expected=f"a folder with tokenizer.json and {_CONFIG}",
            got=str(error),
            action="Save a fast tokenizer there: tokenizer.save_pretrained(folder).",
        ) from error
    if not isinstance(fields, Mapping):
        raise ConfigError(
            where=str(folder / _CONFIG),
            expected="a JSON object",
            got=type(fields).__name__,
            action="Save the tokenizer again.",
        )
    where = str(folder)
    return _Source(where, data, fields, loaded(where, data))


def _tokens(source: _Source, tokens: int | None) -> int:
    longest = source.fields.get("model_max_length")
    stated = isinstance(longest, int) and 0 < longest <= MOST_TOKENS
    if tokens is None:
        if not stated:
            raise source.refuse(
                "model_max_length",
                f"a number of tokens up to {MOST_TOKENS}",
                longest,
                "Pass tokens=, which the encoder was trained with.",
            )
        return int(longest)  # type: ignore[arg-type]
    if stated and tokens > int(longest):  # type: ignore[arg-type]
        raise source.refuse(
            "model_max_length", f"at least tokens={tokens}", longest, "Pass fewer tokens."
        )
    return tokens


def _content(token: Any) -> Any:
    """The text of a token, which files hold bare or with its properties."""
    return token.get("content") if isinstance(token, Mapping) else token


def _pad_id(source: _Source) -> int:
    token = _content(source.fields.get("pad_token"))
    id = source.tokenizer.token_to_id(token) if isinstance(token, str) else None
    if id is None:
        raise source.refuse(
            "pad_token",
            "a token of the vocabulary",
            token,
            "Set tokenizer.pad_token to what the encoder was trained to ignore, and save it.",
        )
    return id


def _side(source: _Source, field: str) -> Side:
    side = source.fields.get(field, "right")
    if side not in SIDES:
        raise source.refuse(field, "'right' or 'left'", side, "Save the tokenizer again.")
    return "left" if side == "left" else "right"


def _check_special_tokens(source: _Source) -> None:
    """What transformers does by itself has to be what the tokenizer.json says."""
    if source.fields.get("split_special_tokens"):
        raise source.refuse(
            "split_special_tokens", "false", True, "Special tokens in a text are always kept whole."
        )
    around = source.tokenizer.encode("")
    for field, name in (("add_bos_token", "bos_token"), ("add_eos_token", "eos_token")):
        wanted = source.fields.get(field)
        token = _content(source.fields.get(name))
        if wanted is None or not isinstance(token, str):
            continue
        if (source.tokenizer.token_to_id(token) in around) != bool(wanted):
            raise source.refuse(
                field,
                "what the post-processor of tokenizer.json does",
                wanted,
                "Load the tokenizer in transformers and save it again, or pass it as an object.",
            )
