"""Operators that know no batch, on each element of one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan


def each(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """function(*elements) for each element of a batch, stacked.

    tensors: each [batch, ...]. The function gets one element of each, [...], and returns one
    tensor of a fixed shape. A loop in torch; in an export Scan, whose batch is free.
    """
    if not torch.compiler.is_exporting():
        rows = zip(*(tensor.unbind(0) for tensor in tensors), strict=True)
        return torch.stack([function(*row) for row in rows])

    def step(carried: Tensor, row: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return carried.clone(), function(*row)

    _, stacked = scan(step, tensors[0].new_zeros(1), tensors)
    result: Tensor = stacked
    return result
