"""The pieces that adapters cut models into: towers that encode, and heads that answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional

from plait import ConfigError
from plait_export.describe import Classification, Embedding


class Pooled(nn.Module):
    """A tower's pooled output [batch, width]. keyword: what its forward calls the input.

    channel: the tower wants an axis of length 1 after the batch.
    """

    def __init__(self, tower: nn.Module, keyword: str, *, channel: bool = False) -> None:
        super().__init__()
        self.tower = tower
        self.keyword = keyword
        self.channel = channel

    def forward(self, sample: Tensor, mask: Tensor | None = None) -> Tensor:
        given = sample[:, None] if self.channel else sample
        masked = {} if mask is None else {"attention_mask": mask}
        return cast(Tensor, self.tower(**{self.keyword: given}, **masked).pooler_output)


class FirstToken(nn.Module):
    """A tower's first token [batch, width], which is what some classifiers see."""

    def __init__(self, tower: nn.Module, keyword: str) -> None:
        super().__init__()
        self.tower = tower
        self.keyword = keyword

    def forward(self, sample: Tensor, mask: Tensor | None = None) -> Tensor:
        masked = {} if mask is None else {"attention_mask": mask}
        return cast(Tensor, self.tower(**{self.keyword: sample}, **masked).last_hidden_state[:, 0])


class Projected(nn.Module):
    """What follows a tower: a projection where there is one, and unit length where wanted."""

    def __init__(self, projection: nn.Module | None, *, normalized: bool) -> None:
        super().__init__()
        self.projection = nn.Identity() if projection is None else projection
        self.normalized = normalized

    def forward(self, embedding: Tensor, presence: Tensor) -> Tensor:
        here = presence.reshape(-1, *(1,) * (embedding.ndim - 1))
        projected: Tensor = self.projection(embedding * here)
        return functional.normalize(projected, dim=-1) if self.normalized else projected


def embedding(
    projection: nn.Module | None,
    modality: str,
    *,
    normalized: bool = False,
) -> Embedding:
    """The head of one modality's embedding."""
    return Embedding(Projected(projection, normalized=normalized), modalities=(modality,))


def classification(classifier: nn.Module, modality: str, config: Any) -> Classification:
    """The head of a model that names classes: labels are id2label's, in order."""
    count = int(config.num_labels)
    if config.problem_type == "regression" or count < 2:
        raise ConfigError(
            where=f"{config.model_type}, problem_type",
            expected="a classification of at least two labels",
            got=f"{config.problem_type!r} with {count} labels",
            action="Describe a regression with plait_export.Regression, which wants units.",
        )
    return Classification(
        Projected(classifier, normalized=False),
        labels=labels_of(config.id2label, count),
        modalities=(modality,),
    )


def labels_of(names: Mapping[Any, Any], count: int) -> tuple[str, ...]:
    """One label an output; with its number where two outputs share it."""
    said = {int(index): str(name) for index, name in names.items()}
    if set(said) != set(range(count)):
        raise ConfigError(
            where="id2label",
            expected=f"a label for each of {count} outputs",
            got=f"{len(said)} labels",
            action="Correct config.json.",
        )
    listed = [said[index] for index in range(count)]
    return tuple(
        f"{name} ({index})" if listed.count(name) > 1 else name for index, name in enumerate(listed)
    )
