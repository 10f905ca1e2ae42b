"""PillarScatter: features of points or pillars, reduced onto a bird's-eye view."""

from __future__ import annotations

import torch
from torch import Tensor

from plait_export.ops.operator import TorchOperator, register


def reference(values: Tensor, cells: Tensor, rows: int, columns: int, reduce: str) -> Tensor:
    """values: [points, channels]; cells: [points] int32 -> [channels, rows, columns]."""
    count = rows * columns
    row = torch.where(cells < 0, count, cells.long())  # one row more, for what is left out
    empty = values.new_zeros(count + 1, values.shape[1])
    if reduce == "max":
        index = row[:, None].expand_as(values)
        reduced = empty.scatter_reduce(0, index, values, "amax", include_self=False)
    else:
        reduced = empty.index_add(0, row, values)
    if reduce == "mean":
        ones = torch.ones_like(cells, dtype=values.dtype)
        points = values.new_zeros(count + 1).index_add(0, row, ones)
        reduced = reduced / points.clamp(min=1)[:, None]
    return reduced[:count].t().reshape(values.shape[1], rows, columns).contiguous()


def _shape(values: Tensor, cells: Tensor, rows: int, columns: int, reduce: str) -> Tensor:
    return values.new_empty(values.shape[1], rows, columns)


OPERATOR = TorchOperator("PillarScatter", reference, register(reference, _shape, "pillar_scatter"))


def pillar_scatter(
    values: Tensor, cells: Tensor, rows: int, columns: int, reduce: str = "max"
) -> Tensor:
    """The "max", "mean" or "sum" of the values of every cell's points.

    values: [points, channels]; cells: [points] int32, row * columns + column, negative for points
    that are left out. Returns [channels, rows, columns], 0 in cells without points. Differentiable
    in values. Source: Lang et al., PointPillars (2019).
    """
    canvas: Tensor = OPERATOR(values, cells, rows, columns, reduce)
    return canvas
