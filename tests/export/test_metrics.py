"""Metrics agree with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from plait_export import accuracy, macro_f1, negative_mean_absolute_error
from plait_export.metrics import name_of

reference = pytest.importorskip("sklearn.metrics")


def test_metrics_equal_scikit_learns(generator: np.random.Generator) -> None:
    for _ in range(50):
        count, classes = generator.integers(1, 40), int(generator.integers(2, 7))
        scores = generator.normal(size=(count, classes))
        targets = generator.integers(0, classes, count)
        answers = scores.argmax(axis=1)
        assert accuracy(scores, targets) == pytest.approx(
            reference.accuracy_score(targets, answers)
        )
        assert macro_f1(scores, targets) == pytest.approx(
            reference.f1_score(targets, answers, average="macro")
        )
        values, expected = generator.normal(size=(2, count, classes))
        assert negative_mean_absolute_error(values, expected) == pytest.approx(
            -reference.mean_absolute_error(expected, values)
        )


def test_a_metric_is_called_by_its_function() -> None:
    assert name_of(accuracy) == "accuracy"
    assert name_of(negative_mean_absolute_error) == "negative_mean_absolute_error"
