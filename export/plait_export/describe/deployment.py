"""A whole model: its modalities and its heads, each described by its kind's class."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plait import ConfigError
from plait_export.checks import check_count, check_name, check_type
from plait_export.describe.frame import Frame
from plait_export.describe.heads import (
    Classification,
    Embedding,
    Generation,
    Head,
    Regression,
    check_head,
)
from plait_export.describe.points import Points
from plait_export.describe.signal import Signal
from plait_export.describe.sound import Sound
from plait_export.describe.text import Text

Modality = Signal | Frame | Sound | Text | Points
_MODALITIES = (Signal, Frame, Sound, Text, Points)

_BUNDLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RESERVED_MODALITIES = frozenset({"presence"})
_RESERVED_HEADS = frozenset({"prepare", "encode"})

# What the core takes. With ten modalities there are 1023 presence sets to judge and to record.
MOST_MODALITIES = 10
MOST_HEADS = 64


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A whole model: what it senses, and what it answers. Raises ConfigError when made wrongly.

    original: the library that the model comes from, where there is one: from a raw sample (a dict
        by modality) to arrays by stage, "prepare:MODALITY", "encode:MODALITY", "fuse:HEAD", as many
        as it knows. Exporting holds the bundle against it, and stores its arrays as golden data.
    """

    name: str
    modalities: Mapping[str, Modality]
    heads: Mapping[str, Head]
    description: str = ""
    original: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        where = f"deployment {self.name!r}"
        if not isinstance(self.name, str) or not _BUNDLE_NAME.fullmatch(self.name):
            raise ConfigError(
                where="deployment",
                expected="a name of letters, digits, '.', '_' and '-'",
                got=repr(self.name),
                action="It becomes the bundle's name, for instance 'watch'.",
            )
        for what, named, most in (
            ("modality", self.modalities, MOST_MODALITIES),
            ("head", self.heads, MOST_HEADS),
        ):
            if not isinstance(named, Mapping) or not named:
                raise ConfigError(
                    where=where,
                    expected=f"a dict with at least one {what} by name",
                    got=repr(named),
                    action="A deployment senses something and answers something.",
                )
            check_count(
                where,
                f"how many {what} names there are",
                len(named),
                most,
                "Every set of modalities that may be there is judged: join what is one sensor.",
            )
        for name, modality in self.modalities.items():
            check_name(where, "modality", name, _RESERVED_MODALITIES)
            check_type(where, f"modality {name}", modality, _MODALITIES)
            modality.check(f"{where}, modality {name}")
        for name, head in self.heads.items():
            check_name(where, "head", name, _RESERVED_HEADS)
            check_type(
                where, f"head {name}", head, (Classification, Regression, Embedding, Generation)
            )
            check_head(f"{where}, head {name}", head, tuple(self.modalities))
        if self.original is not None and not callable(self.original):
            raise ConfigError(
                where=where,
                expected="original as a function of a sample",
                got=type(self.original).__name__,
                action="It returns arrays by stage, for instance {'fuse:label': logits}.",
            )
        self._check_all_used(where)

    def head_modalities(self, head: str) -> tuple[str, ...]:
        """The modalities a head rests on, in the order of its graph's inputs."""
        chosen = self.heads[head].modalities
        return tuple(self.modalities) if chosen is None else tuple(chosen)

    def _check_all_used(self, where: str) -> None:
        used = {modality for head in self.heads for modality in self.head_modalities(head)}
        unused = [name for name in self.modalities if name not in used]
        if unused:
            raise ConfigError(
                where=where,
                expected="every modality to be used by a head",
                got=f"no head that uses {', '.join(unused)}",
                action="Name it in a head's modalities, or leave it out of the deployment.",
            )


def encoder_name(modality: str) -> str:
    """The name of a modality's graph."""
    return f"{modality}_encoder"


def head_name(head: str) -> str:
    """The name of a head's graph."""
    return f"{head}_head"


def step_name(head: str) -> str:
    """The name of the graph that takes a generation one token further."""
    return f"{head}_step"
