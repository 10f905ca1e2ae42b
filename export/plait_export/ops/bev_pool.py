"""BevPool: camera features lifted by their depth and summed in a bird's-eye view."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from plait_export.ops.operator import TorchOperator, register


class BevPoints(NamedTuple):
    """Which pixel and depth bin falls into which cell; int32, made once for a calibration."""

    depths: Tensor
    pixels: Tensor
    offsets: Tensor


def bev_points(cells: Tensor, count: int) -> BevPoints:
    """Points sorted by cell, and by pixel within one.

    cells: [cameras, bins, height, width] int64, the cell that each pixel falls into at each depth
    bin, or anything outside of 0 to count - 1 where it falls into none.
    """
    cameras, _, height, width = cells.shape
    plane = torch.arange(cameras * height * width, device=cells.device)
    pixels = plane.view(cameras, 1, height, width).expand_as(cells).reshape(-1)
    flat = cells.reshape(-1)
    depths = torch.nonzero((flat >= 0) & (flat < count))[:, 0]
    key = flat[depths] * (cameras * height * width) + pixels[depths]
    depths = depths[torch.argsort(key, stable=True)]
    totals = torch.bincount(flat[depths], minlength=count)
    offsets = torch.cat([totals.new_zeros(1), totals.cumsum(0)])
    return BevPoints(depths.int(), pixels[depths].int(), offsets.int())


def reference(
    depth: Tensor, context: Tensor, depths: Tensor, pixels: Tensor, offsets: Tensor, rows: int
) -> Tensor:
    """As the function below, with every product of depth and context stored."""
    cameras, channels, height, width = context.shape
    features = context.permute(0, 2, 3, 1).reshape(cameras * height * width, channels)
    products = depth.reshape(-1)[depths.long()][:, None] * features[pixels.long()]
    numbers = torch.arange(depths.shape[0], device=depth.device, dtype=offsets.dtype)
    owners = torch.bucketize(numbers, offsets[1:], right=True)
    cells = offsets.shape[0] - 1
    plane = depth.new_zeros(cells, channels).index_add(0, owners, products)
    return plane.t().reshape(channels, rows, cells // rows).contiguous()


def _shape(
    depth: Tensor, context: Tensor, depths: Tensor, pixels: Tensor, offsets: Tensor, rows: int
) -> Tensor:
    return context.new_empty(context.shape[1], rows, (offsets.shape[0] - 1) // rows)


OPERATOR = TorchOperator("BevPool", reference, register(reference, _shape, "bev_pool"))


def bev_pool(depth: Tensor, context: Tensor, points: BevPoints, rows: int) -> Tensor:
    """The sum of depth * context over the points of every cell.

    depth: [cameras, bins, height, width]; context: [cameras, channels, height, width]. Returns
    [channels, rows, cells / rows]. Differentiable in depth and context. Source: Philion and
    Fidler, Lift, Splat, Shoot (2020).
    """
    pooled: Tensor = OPERATOR(depth, context, *points, rows)
    return pooled
