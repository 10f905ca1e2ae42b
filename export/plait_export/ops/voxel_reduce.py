"""VoxelReduce: raw LiDAR points moved, filtered by range and reduced voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from plait_export.ops.operator import TorchOperator, register

# Up to so many cells, a table of them all finds the first point of a cell sooner than a sort does.
_TABLE_CELLS = 1 << 22
_BEYOND_ALL_POINTS = (1 << 31) - 1


class Voxels(NamedTuple):
    """features: [capacity, channels], unused rows 0; cells: [capacity] int32, (z * rows + y) *
    columns + x, unused -1; count: [1] int32, voxels found, those beyond the capacity too; voxels:
    [points] int32, the row that each point went into, -1 for points left out."""

    features: Tensor
    cells: Tensor
    count: Tensor
    voxels: Tensor


def grid_cells(
    lower: Sequence[float], upper: Sequence[float], size: Sequence[float]
) -> tuple[int, int, int]:
    """Cells along x, y and z."""
    x, y, z = (round((upper[axis] - lower[axis]) / size[axis]) for axis in range(3))
    return x, y, z


def _moved(points: Tensor, transform: Tensor) -> Tensor:
    """Their places after the transform, in the order of arithmetic that the core has."""
    x, y, z = (points[:, axis : axis + 1].to(transform.dtype) for axis in range(3))
    turned = (transform[:, 0] * x + transform[:, 1] * y) + transform[:, 2] * z
    return turned + transform[:, 3]


def _cells(
    moved: Tensor, lower: Sequence[float], upper: Sequence[float], size: Sequence[float]
) -> Tensor:
    """The cell of every point, int64; the number of all cells for points outside."""
    counts = grid_cells(lower, upper, size)
    cells = torch.zeros_like(moved[:, 0], dtype=torch.int64)
    inside = torch.ones_like(cells, dtype=torch.bool)
    for axis in (2, 1, 0):
        # No tensor is made of a constant here: an export's Scan can't hold one.
        step = torch.floor((moved[:, axis] - lower[axis]) / size[axis])
        inside = inside & (step >= 0) & (step < counts[axis])
        cells = cells * counts[axis] + torch.where(inside, step, 0.0).long()
    return torch.where(inside, cells, counts[0] * counts[1] * counts[2])


def _first_points(cells: Tensor, total: int) -> Tensor:
    """For every point the first one in its cell."""
    numbers = torch.arange(cells.shape[0], device=cells.device)
    if total <= _TABLE_CELLS:
        table = cells.new_full((total + 1,), _BEYOND_ALL_POINTS)
        return table.scatter_reduce(0, cells, numbers, "amin")[cells]
    ordered, points = torch.sort(cells)
    starts = torch.cat([numbers[:1] == 0, ordered[1:] != ordered[:-1]])
    runs = starts.cumsum(0) - 1
    firsts = torch.full_like(cells, _BEYOND_ALL_POINTS).scatter_reduce(0, runs, points, "amin")
    return torch.zeros_like(cells).scatter(0, points, firsts[runs])


def reference(
    points: Tensor,
    transform: Tensor,
    lower: Sequence[float],
    upper: Sequence[float],
    size: Sequence[float],
    capacity: int,
    reduce: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As the function below. Arithmetic is in the transform's dtype."""
    x, y, z = grid_cells(lower, upper, size)
    moved = _moved(points, transform)
    cells = _cells(moved, lower, upper, size)
    numbers = torch.arange(cells.shape[0], device=cells.device)
    firsts = _first_points(cells, x * y * z)
    starts = (cells < x * y * z) & (firsts == numbers)
    voxels = (starts.long().cumsum(0) - 1)[firsts]
    kept = (cells < x * y * z) & (voxels < capacity)
    row = torch.where(kept, voxels, capacity)  # one row more, for what is left out
    values = torch.cat([moved, points[:, 3:].to(moved.dtype)], 1)
    empty = values.new_zeros(capacity + 1, values.shape[1])
    if reduce == "max":
        index = row[:, None].expand_as(values)
        features = empty.scatter_reduce(0, index, values, "amax", include_self=False)
    else:
        ones = torch.ones_like(values[:, 0])
        found = values.new_zeros(capacity + 1).index_add(0, row, ones).clamp(min=1)
        features = empty.index_add(0, row, values) / found[:, None]
    unused = cells.new_full((capacity + 1,), -1)
    return (
        features[:capacity].to(points.dtype),
        unused.scatter(0, row, cells)[:capacity].int(),
        starts.sum(0, keepdim=True).int(),
        torch.where(kept, voxels, -1).int(),
    )


def _shape(
    points: Tensor,
    transform: Tensor,
    lower: Sequence[float],
    upper: Sequence[float],
    size: Sequence[float],
    capacity: int,
    reduce: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        points.new_empty(capacity, points.shape[1]),
        points.new_empty(capacity, dtype=torch.int32),
        points.new_empty(1, dtype=torch.int32),
        points.new_empty(points.shape[0], dtype=torch.int32),
    )


OPERATOR = TorchOperator("VoxelReduce", reference, register(reference, _shape, "voxel_reduce"))


def voxel_reduce(
    points: Tensor,
    transform: Tensor,
    *,
    lower: Sequence[float],
    upper: Sequence[float],
    size: Sequence[float],
    capacity: int,
    reduce: str = "mean",
) -> Voxels:
    """The "mean" or "max" of the points in each voxel, voxels in the order of their first points.

    points: [points, channels], x, y, z in metres first; transform: [3, 4] float32, from the
    sensor's axes to the grid's. The grid reaches from lower to upper, in cells of a size; each is
    x, y, z in metres. Points outside of it, or with a place that is not finite, are left out, and
    so are voxels beyond the capacity. Differentiable in points and transform.
    Source: Zhou et al., End-to-End Multi-View Fusion (2019).
    """
    return Voxels(*OPERATOR(points, transform, lower, upper, size, capacity, reduce))
