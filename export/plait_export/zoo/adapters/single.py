"""One tower with one answer, a class or an embedding: what all such families share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from plait import ConfigError
from plait_export.describe import Deployment, Modality
from plait_export.zoo.adapters.library import Library
from plait_export.zoo.adapters.parts import classification, embedding
from plait_export.zoo.adapters.source import Source

Prepare = Callable[[Any], Mapping[str, Tensor]]


def classifier(
    source: Source,
    name: str,
    modality: Mapping[str, Modality],
    prepare: Prepare,
    *,
    head: nn.Module,
    tower: nn.Module | None = None,
) -> Deployment:
    """A model that names classes: its output has logits. tower: where it pools what `head` sees."""
    (key,) = modality
    return _deployment(
        source,
        name,
        modality,
        prepare,
        heads={"label": classification(head, key, source.config)},
        answers={"label": lambda output: output.logits},
        towers={} if tower is None else {key: tower},
    )


def embedder(
    source: Source,
    name: str,
    modality: Mapping[str, Modality],
    prepare: Prepare,
    *,
    answer: Callable[[Any], Tensor],
    projection: nn.Module | None = None,
    model: nn.Module | None = None,
) -> Deployment:
    """A model whose answer is an embedding, as the library gives it: no length is set.

    model: the part of it that is asked; None: all of it.
    """
    (key,) = modality
    return _deployment(
        source,
        name,
        modality,
        prepare,
        heads={key: embedding(projection, key)},
        answers={key: answer},
        towers={key: source.model if model is None else model},
        model=model,
    )


def pooled(output: Any) -> Tensor:
    """The pooled output of a model of transformers."""
    values: Tensor = output.pooler_output
    return values


def require_pooler(model: Any, action: str) -> None:
    """Raises ConfigError where a model has nothing that pools."""
    if getattr(model, "pooler", True) is None or not hasattr(model, "pooler"):
        raise ConfigError(
            where=f"{model.config.model_type}, pooler",
            expected="a model that says how it pools",
            got=f"a {type(model).__name__} without a pooler",
            action=action,
        )


def _deployment(
    source: Source,
    name: str,
    modality: Mapping[str, Modality],
    prepare: Prepare,
    *,
    heads: Mapping[str, Any],
    answers: Mapping[str, Callable[[Any], Tensor]],
    towers: Mapping[str, nn.Module],
    model: nn.Module | None = None,
) -> Deployment:
    (key,) = modality
    return Deployment(
        name=name,
        description=f"{type(source.model).__name__} of transformers.",
        modalities=modality,
        heads=heads,
        original=Library(
            model=source.model if model is None else model,
            inputs={key: prepare},
            heads=answers,
            towers=towers,
            masked=frozenset({key} if getattr(modality[key], "mask", False) else ()),
        ),
    )
