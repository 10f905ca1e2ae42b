"""Checks of single values that several descriptions share.

Each raises a ConfigError that names the value; `where` says which part of which deployment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from plait import ConfigError

# A graph is called after it, and the core takes identifiers of at most 64 characters.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,55}")


def is_number(value: object) -> bool:
    """Whether a value counts as a finite number (a truth value does not)."""
    if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, str):
        return False
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def check_name(where: str, what: str, name: object, reserved: frozenset[str]) -> None:
    """A name that graphs and files can bear."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            where=where,
            expected=f"a {what} name of at most 56 lower-case letters, digits and '_'",
            got=repr(name),
            action="Names become names of graph inputs and files.",
        )
    if name in reserved:
        raise ConfigError(
            where=where,
            expected=f"a {what} name that means nothing else in a bundle",
            got=repr(name),
            action="Choose another name.",
        )


def check_type(where: str, what: str, value: object, kinds: tuple[type, ...]) -> None:
    """An instance of one of these classes."""
    if not isinstance(value, kinds):
        raise ConfigError(
            where=where,
            expected=f"{what} as {' or '.join(kind.__name__ for kind in kinds)}",
            got=type(value).__name__,
            action="Wrap the module in one of these.",
        )


def check_module(where: str, what: str, module: object) -> None:
    """Something that is, or behaves like, a torch.nn.Module."""
    # Duck-typed, so that describing a model does not import torch.
    if not (callable(module) and hasattr(module, "state_dict") and hasattr(module, "eval")):
        raise ConfigError(
            where=where,
            expected=f"{what} as a torch.nn.Module",
            got=type(module).__name__,
            action="Pass the trained module itself.",
        )


def check_count(where: str, what: str, value: object, most: int, action: str) -> None:
    """A whole number from 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ConfigError(
            where=where,
            expected=f"{what}, a whole number from 1 to {most}",
            got=repr(value),
            action=action,
        )


def check_positive(where: str, what: str, value: object) -> None:
    """A finite number above 0."""
    if not is_number(value) or float(value) <= 0.0:  # type: ignore[arg-type]
        raise ConfigError(
            where=where,
            expected=f"{what} as a finite number above 0",
            got=repr(value),
            action="See what its description says of this field.",
        )


def check_choice(where: str, what: str, value: object, choices: tuple[str, ...]) -> None:
    """One of these words."""
    if value not in choices:
        raise ConfigError(
            where=where,
            expected=f"{what} as one of {', '.join(map(repr, choices))}",
            got=repr(value),
            action="See what its description says of this field.",
        )


def check_words(where: str, what: str, words: object) -> None:
    """At least one word, none twice."""
    if isinstance(words, str) or not isinstance(words, Sequence) or not words:
        raise ConfigError(
            where=where,
            expected=f"{what} as a list of words",
            got=repr(words),
            action="See its doc.",
        )
    if not all(isinstance(word, str) and word.strip() for word in words):
        raise ConfigError(
            where=where, expected=f"{what} that are words", got=repr(words), action="Name each one."
        )
    twice = sorted({word for word in words if list(words).count(word) > 1})
    if twice:
        raise ConfigError(
            where=where,
            expected=f"{what} that differ from one another",
            got=f"{', '.join(map(repr, twice))} more than once",
            action="Name each one once.",
        )
