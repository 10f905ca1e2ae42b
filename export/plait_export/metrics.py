"""Metrics a gate can judge by. Higher is better; any function of this shape will do.

`scores` is what the core answered: [samples, classes] softmax scores of a classification,
[samples, values] of a regression, [samples, dimensions] of an embedding, texts [samples] of a
generation. `targets` is the array of held-out targets: [samples] label indices of a
classification, else [samples, ...].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Metric = Callable[[NDArray[Any], NDArray[Any]], float]


def accuracy(scores: NDArray[Any], targets: NDArray[Any]) -> float:
    """The share of samples whose highest score is the target."""
    return float(np.mean(np.argmax(scores, axis=1) == targets))


def macro_f1(scores: NDArray[Any], targets: NDArray[Any]) -> float:
    """The mean over classes of F1, so that a rare class weighs as much as a common one.

    A class that is neither in the targets nor ever answered does not count.
    """
    answers = np.argmax(scores, axis=1)
    values = []
    for label in range(scores.shape[1]):
        hits = int(np.sum((answers == label) & (targets == label)))
        named = int(np.sum(answers == label)) + int(np.sum(targets == label))
        if named:
            values.append(2.0 * hits / named)
    return float(np.mean(values))


def negative_mean_absolute_error(scores: NDArray[Any], targets: NDArray[Any]) -> float:
    """Minus the mean distance from the target, in the target's unit: 0 is perfect."""
    return -float(np.mean(np.abs(scores - targets)))


def exact_match(texts: NDArray[Any], targets: NDArray[Any]) -> float:
    """The share of a generation's texts that are the target."""
    return float(np.mean(texts == targets))


def word_agreement(texts: NDArray[Any], targets: NDArray[Any]) -> float:
    """The share of words that are the target's in the same place, of the longer of both texts."""
    values = []
    for text, target in zip(texts, targets, strict=True):
        said, wanted = text.split(), target.split()
        longest = max(len(said), len(wanted))
        same = sum(a == b for a, b in zip(said, wanted, strict=False))
        values.append(same / longest if longest else 1.0)
    return float(np.mean(values))


def name_of(metric: Metric) -> str:
    """What a metric is called in reports and in the bundle."""
    return str(getattr(metric, "__name__", type(metric).__name__))
