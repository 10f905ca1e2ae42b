"""What a user says of a head: a classification, a regression, an embedding or a generation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from plait import ConfigError
from plait_export.checks import (
    check_count,
    check_module,
    check_name,
    check_positive,
    check_type,
    check_words,
    is_number,
)
from plait_export.describe.text import MOST_IDS, loaded, read_tokenizer

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class _Head:
    """What all heads share.

    module: its forward takes one embedding a modality, positionally in the order of `modalities`,
        then presence, float32 [batch, modalities] of 0 or 1.
    modalities: the names it rests on. None: all of the deployment, in their order.
    """

    modalities: Sequence[str] | None = None


@dataclass(frozen=True)
class Classification(_Head):
    """A head whose module returns logits [batch, len(labels)]."""

    module: nn.Module
    labels: Sequence[str]
    kind: Literal["classification"] = field(default="classification", init=False)

    @property
    def output(self) -> str:
        return "logits"


@dataclass(frozen=True)
class Regression(_Head):
    """A head whose module returns values [batch, len(labels)], each with its unit."""

    module: nn.Module
    labels: Sequence[str]
    units: Sequence[str]
    kind: Literal["regression"] = field(default="regression", init=False)

    @property
    def output(self) -> str:
        return "value"


@dataclass(frozen=True)
class Space:
    """A space that heads share: their embeddings are comparable by cosine.

    normalized: whether the head's module gives them unit length; exporting checks it.
    logit_scale, logit_bias: a pair's logit is logit_scale * cosine + logit_bias, as CLIP (Radford
        et al., 2021) and SigLIP (Zhai et al., 2023) train them. Each head has its own.
    """

    name: str
    normalized: bool = False
    logit_scale: float = 1.0
    logit_bias: float = 0.0


@dataclass(frozen=True)
class Embedding(_Head):
    """A head whose module returns an embedding [batch, dimensions]."""

    module: nn.Module
    space: Space | None = None
    kind: Literal["embedding"] = field(default="embedding", init=False)

    @property
    def output(self) -> str:
        return "embedding"


@dataclass(frozen=True)
class Generation(_Head):
    """A head that says a text, token by token: a decoder that looks at a memory.

    module: has two methods, both of float32 tensors with the batch in front:
        memory(*embeddings, presence) -> a list of tensors [batch, ...] of one shape, for instance
            the keys and values of each layer's cross-attention. Runs once a text.
            What is absent must not show in it: multiply by presence.
        step(token, position, presence, memory, cache) -> logits, entries. Runs once a token.
            token, position: int64 [batch, 1]. memory: the list. cache: a pair (keys, values) a
            layer, [batch, heads, max_length, head_size], of which those before the position
            count. logits: [batch, vocabulary] of the token after this one. entries: a pair (key,
            value) a layer, [batch, heads, head_size], of this position.
            `plait_export.cached_attention` attends to a cache and the new position.
    layers, heads, head_size: of the self-attention's cache. max_length: positions it holds.
    tokenizer: a tokenizer.json as of Text, with `vocabulary` logits; or labels: a word a token.
    start: ids before every text; end: ids that end it; pad: an id that says nothing.
    max_tokens ... length_penalty: the bundle's defaults of what `Model.generate` takes.
    """

    module: nn.Module
    layers: int
    heads: int
    head_size: int
    max_length: int
    start: Sequence[int]
    end: Sequence[int]
    pad: int
    tokenizer: str | os.PathLike[str] | bytes | None = None
    vocabulary: int | None = None
    labels: Sequence[str] | None = None
    max_tokens: int = 20
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    beams: int = 1
    length_penalty: float = 1.0
    kind: Literal["generation"] = field(default="generation", init=False)

    @property
    def output(self) -> str:
        return "memory"

    @property
    def tokens(self) -> int:
        """Logits of a step."""
        return len(self.labels or ()) if self.vocabulary is None else self.vocabulary

    @property
    def most_tokens(self) -> int:
        """What is said at most where nobody asks: max_tokens, or less where the cache is full."""
        return min(self.max_tokens, self.max_length - len(self.start) + 1)

    def to_manifest(self, step: str, tokenizer: str) -> dict[str, Any]:
        """The section "generation". step: the graph's name; tokenizer: the member's."""
        section: dict[str, Any] = {
            "step": step,
            "layers": self.layers,
            "heads": self.heads,
            "head_size": self.head_size,
            "max_length": self.max_length,
            "vocabulary": self.tokens,
            "start": list(self.start),
            "end": list(self.end),
            "pad": self.pad,
            "defaults": {
                "max_tokens": self.most_tokens,
                "temperature": float(self.temperature),
                "top_k": self.top_k,
                "top_p": float(self.top_p),
                "repetition_penalty": float(self.repetition_penalty),
                "beams": self.beams,
                "length_penalty": float(self.length_penalty),
            },
        }
        return section if self.tokenizer is None else {**section, "tokenizer": tokenizer}


Head = Classification | Regression | Embedding | Generation


def _check_generation(where: str, head: Generation) -> None:
    if (head.tokenizer is None) == (head.labels is None):
        raise ConfigError(
            where=where,
            expected="a tokenizer with its vocabulary, or labels",
            got="neither" if head.labels is None else "both",
            action="Labels name the tokens where there is no tokenizer.",
        )
    if head.labels is not None:
        check_words(where, "labels", head.labels)
    for what in ("layers", "heads", "head_size", "max_length", "max_tokens", "beams"):
        most = {"layers": 64, "beams": 64}.get(what, 65536)
        check_count(where, what, getattr(head, what), most, "It is part of the cache's shape.")
    check_count(where, "vocabulary", head.tokens, MOST_IDS, "State how many logits a step has.")
    for what, ids in (("start", head.start), ("end", head.end), ("pad", [head.pad])):
        known = all(isinstance(i, int) and 0 <= i < head.tokens for i in ids)
        if not known or (what == "start" and not 1 <= len(ids) <= head.max_length):
            raise ConfigError(
                where=where,
                expected=f"{what} as ids below {head.tokens}"
                + (", at least one, at most max_length" if what == "start" else ""),
                got=repr(ids),
                action="Often they are those of the model's generation config.",
            )
    if head.tokenizer is not None:
        loaded(where, read_tokenizer(head.tokenizer))


def check_head(where: str, head: Head, modalities: tuple[str, ...]) -> None:
    """Raises ConfigError where a field makes no sense; `where` names the head."""
    if isinstance(head, Generation):
        if not all(callable(getattr(head.module, name, None)) for name in ("memory", "step")):
            raise ConfigError(
                where=where,
                expected="a module with the methods memory and step",
                got=type(head.module).__name__,
                action="Wrap the decoder as docs/generation.md shows.",
            )
        _check_generation(where, head)
    else:
        check_module(where, "module", head.module)
    if head.modalities is not None:
        check_words(where, "modalities", head.modalities)
        unknown = [name for name in head.modalities if name not in modalities]
        if unknown:
            raise ConfigError(
                where=where,
                expected=f"modalities out of {', '.join(modalities)}",
                got=", ".join(unknown),
                action="Describe it among the deployment's modalities, or correct its name.",
            )
    if isinstance(head, Embedding) and head.space is not None:
        _check_space(where, head.space)
    if isinstance(head, (Classification, Regression)):
        check_words(where, "labels", head.labels)
    if isinstance(head, Regression):
        units = head.units
        if isinstance(units, str) or not isinstance(units, Sequence):
            raise ConfigError(
                where=where,
                expected="units as a list of words",
                got=repr(units),
                action="One a value.",
            )
        if len(units) != len(head.labels) or not all(isinstance(u, str) and u for u in units):
            raise ConfigError(
                where=where,
                expected=f"one unit for each of {len(head.labels)} labels",
                got=repr(list(units)),
                action="Use '1' for a number without a unit.",
            )


def _check_space(where: str, space: Space) -> None:
    check_type(where, "space", space, (Space,))
    check_name(where, "space", space.name, frozenset())
    check_positive(where, "logit_scale", space.logit_scale)
    if not is_number(space.logit_bias):
        raise ConfigError(
            where=where,
            expected="logit_bias as a finite number",
            got=repr(space.logit_bias),
            action="0 where the model has none.",
        )
