"""What a user says of a head: a classification, a regression or an embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plait import ConfigError
from plait_export.checks import (
    check_module,
    check_name,
    check_positive,
    check_type,
    check_words,
    is_number,
)

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


Head = Classification | Regression | Embedding


def check_head(where: str, head: Head, modalities: tuple[str, ...]) -> None:
    """Raises ConfigError where a field makes no sense; `where` names the head."""
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
