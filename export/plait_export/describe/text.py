"""What a user says of a modality that is a text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import plait
from plait import BundleError, ConfigError
from plait_export.checks import check_choice, check_count, check_module, check_positive, check_words
from plait_export.describe.common import WHEN_MISSING, WhenMissing

if TYPE_CHECKING:
    from torch import nn

Side = Literal["right", "left"]
SIDES = ("right", "left")

# What the core takes.
MOST_TOKENS = 1 << 20
MOST_IDS = 1 << 22
MOST_PROMPTS = 100_000


@dataclass(frozen=True, kw_only=True)
class Text:
    """A modality that is a text.

    encoder: a module from int64 ids [batch, tokens] to an embedding [batch, ...]; with mask from
        ids and mask, both int64 [batch, tokens], the mask 1 for tokens and 0 for padding.
    tokenizer: a tokenizer.json as the library `tokenizers` saves it, the folder it lies in, or its
        bytes. Its own truncation and padding are not applied, these are:
    tokens: ids the encoder sees; longer texts are cut, shorter ones padded.
    pad_id: the id that fills up; CLIP's is that of <|endoftext|>, BERT's that of [PAD].
    special_tokens: whether those of the file's post-processor are put around the text; they are
        kept where it is cut.
    truncation, padding: which end is cut ("left": the front), and which end is filled.
    bank: prompts whose embeddings are stored in the bundle: on the device neither tokenizer nor
        encoder runs for them.
    encoder_in_bundle: False leaves the encoder out: the device takes the bank's prompts only.
    max_age_ms, when_missing: as in Signal.
    """

    encoder: nn.Module
    tokenizer: str | os.PathLike[str] | bytes
    tokens: int
    pad_id: int
    max_age_ms: float
    when_missing: WhenMissing
    mask: bool = False
    special_tokens: bool = True
    truncation: Side = "right"
    padding: Side = "right"
    bank: Sequence[str] | None = None
    encoder_in_bundle: bool = True

    @cached_property
    def tokenizer_json(self) -> bytes:
        """The tokenizer's file. Raises ConfigError where it can't be read."""
        return read_tokenizer(self.tokenizer)

    def input_shape(self) -> tuple[int, ...]:
        """The encoder's input without its batch."""
        return (2, self.tokens) if self.mask else (self.tokens,)

    def to_manifest(self) -> dict[str, Any]:
        """The kind, and its section but for the members, which are named after the modality."""
        return {
            "kind": "text",
            "text": {
                "tokens": self.tokens,
                "mask": self.mask,
                "special_tokens": self.special_tokens,
                "truncation": self.truncation,
                "padding": {"side": self.padding, "id": self.pad_id},
            },
        }

    def check(self, where: str) -> None:
        """Raises ConfigError where a field makes no sense; `where` names the modality."""
        check_module(where, "encoder", self.encoder)
        check_positive(where, "max_age_ms", self.max_age_ms)
        check_choice(where, "when_missing", self.when_missing, WHEN_MISSING)
        check_choice(where, "truncation", self.truncation, SIDES)
        check_choice(where, "padding", self.padding, SIDES)
        action = "State how many ids the encoder was trained with; CLIP's is 77."
        check_count(where, "tokens", self.tokens, MOST_TOKENS, action)
        _check_pad_id(where, self.pad_id)
        tokenizer = loaded(where, self.tokenizer_json)
        around = len(tokenizer.encode("")) if self.special_tokens else 0
        if around > self.tokens:
            raise ConfigError(
                where=where,
                expected=f"at least {around} tokens, which are the tokenizer's special ones",
                got=str(self.tokens),
                action="Give the text some room.",
            )
        _check_bank(where, self)


def read_tokenizer(tokenizer: str | os.PathLike[str] | bytes) -> bytes:
    """The bytes of a tokenizer.json. Raises ConfigError where it can't be read."""
    if isinstance(tokenizer, bytes):
        return tokenizer
    path = Path(tokenizer)
    if path.is_dir():
        path = path / "tokenizer.json"
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            where=str(path),
            expected="a tokenizer.json, or the folder it lies in",
            got=error.strerror or str(error),
            action="Save it with tokenizer.save_pretrained(folder) of transformers, or "
            "tokenizer.save(file) of tokenizers.",
        ) from error


def loaded(where: str, json: bytes) -> plait.Tokenizer:
    """The tokenizer as the core reads it. Raises ConfigError naming what the core lacks."""
    try:
        return plait.Tokenizer(json)
    except BundleError as error:
        raise ConfigError(
            where=f"{where}, {error.where}",
            expected=error.expected,
            got=error.got,
            action=error.action,
        ) from error


def _check_pad_id(where: str, pad_id: object) -> None:
    if isinstance(pad_id, bool) or not isinstance(pad_id, int) or not 0 <= pad_id < MOST_IDS:
        raise ConfigError(
            where=where,
            expected="pad_id as a token id",
            got=repr(pad_id),
            action="It is what the encoder was trained to ignore, often tokenizer.pad_token_id.",
        )


def _check_bank(where: str, text: Text) -> None:
    if text.bank is None:
        if not text.encoder_in_bundle:
            raise ConfigError(
                where=where,
                expected="a bank of prompts where the encoder is not in the bundle",
                got="none",
                action="Give bank=['a cat', ...], or leave encoder_in_bundle out.",
            )
        return
    check_words(where, "bank", text.bank)
    check_count(where, "how many prompts there are", len(text.bank), MOST_PROMPTS, "Give fewer.")
    long = [prompt for prompt in text.bank if len(prompt.encode("utf-8", "replace")) > 4096]
    broken = [prompt for prompt in text.bank if not is_utf8(prompt)]
    if long or broken:
        raise ConfigError(
            where=where,
            expected="prompts of at most 4096 bytes of UTF-8",
            got=repr((long or broken)[0][:40]),
            action="Shorten it, or replace its lone surrogates.",
        )


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can hold a text: a lone surrogate it can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
