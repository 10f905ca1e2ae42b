"""What a user says of a head: a classification, a regression or an embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from plait import ConfigError
from plait_export.checks import check_module, check_positive, check_words, is_number

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
class Embedding(_Head):
    """A head whose module returns an embedding [batch, dimensions].

    space: heads of one space are comparable by cosine; "": comparable to nothing.
    normalized: the module returns unit length.
    logit_scale, logit_bias: logits are scale * cosine + bias, as the model was trained.
    """

    module: nn.Module
    space: str = ""
    normalized: bool = False
    logit_scale: float = 1.0
    logit_bias: float = 0.0
    kind: Literal["embedding"] = field(default="embedding", init=False)

    @property
    def output(self) -> str:
        return "embedding"

    def to_manifest(self) -> dict[str, Any]:
        """What is not as it is by default."""
        said: dict[str, Any] = {
            "space": self.space,
            "normalized": self.normalized,
            "logit_scale": float(self.logit_scale),
            "logit_bias": float(self.logit_bias),
        }
        usual = {"space": "", "normalized": False, "logit_scale": 1.0, "logit_bias": 0.0}
        return {name: value for name, value in said.items() if value != usual[name]}


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
    if isinstance(head, (Classification, Regression)):
        check_words(where, "labels", head.labels)
    if isinstance(head, Embedding):
        _check_space(where, head)
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


def _check_space(where: str, head: Embedding) -> None:
    check_positive(where, "logit_scale", head.logit_scale)
    good = {
        "space as a word": isinstance(head.space, str) and head.space == head.space.strip(),
        "normalized as True or False": isinstance(head.normalized, bool),
        "logit_bias as a finite number": is_number(head.logit_bias),
    }
    for expected, fine in good.items():
        if not fine:
            raise ConfigError(
                where=where,
                expected=expected,
                got=repr(getattr(head, expected.split()[0])),
                action="See plait_export.Embedding.",
            )
