"""Skeleton: the smallest real operator, made to be copied: see docs/add-an-op.md."""

from __future__ import annotations

from torch import Tensor

from plait_export.ops.operator import TorchOperator, register


def reference(x: Tensor, offset: Tensor, gain: float) -> Tensor:
    """What the operator means, in the inputs' dtype; and its portable form when exported."""
    return x * gain + offset


def _shape(x: Tensor, offset: Tensor, gain: float) -> Tensor:
    """An empty tensor of the output's shape and dtype."""
    return x.new_empty(x.shape)


OPERATOR = TorchOperator("Skeleton", reference, register(reference, _shape, "skeleton"))


def skeleton(x: Tensor, offset: Tensor, gain: float = 1.0) -> Tensor:
    """x * gain + offset.

    x: [rows, channels]; offset: [channels]. Returns [rows, channels]. Differentiable.
    """
    scaled: Tensor = OPERATOR(x, offset, gain)
    return scaled
