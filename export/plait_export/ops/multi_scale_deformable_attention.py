"""MultiScaleDeformableAttention: weighed bilinear samples of several feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from plait import ConfigError
from plait_export.ops.operator import TorchOperator, in_portable_form, register


def reference(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """As the function below, with a grid_sample for each level."""
    sizes = [(int(height), int(width)) for height, width in shapes.tolist()]
    return _attend(value, sizes, locations, weights)


def _attend(
    value: Tensor, sizes: Sequence[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    batch, _, heads, channels = value.shape
    queries, levels, points = weights.shape[1], weights.shape[3], weights.shape[4]
    maps = torch.split(value, [height * width for height, width in sizes], dim=1)
    grids = 2.0 * locations - 1.0
    samples = []
    for level, (height, width) in enumerate(sizes):
        level_map = maps[level].permute(0, 2, 3, 1).reshape(batch * heads, channels, height, width)
        grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)
        samples.append(grid_sample(level_map, grid, align_corners=False))
    sampled = torch.stack(samples, dim=-2).flatten(-2)
    factors = weights.transpose(1, 2).reshape(batch * heads, 1, queries, levels * points)
    summed = (sampled * factors).sum(-1)
    return summed.view(batch, heads * channels, queries).transpose(1, 2).contiguous()


def _shape(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    return value.new_empty(weights.shape[0], weights.shape[1], value.shape[2] * value.shape[3])


OPERATOR = TorchOperator(
    "MultiScaleDeformableAttention",
    reference,
    register(reference, _shape, "multi_scale_deformable_attention"),
)


def multi_scale_deformable_attention(
    value: Tensor,
    shapes: Tensor | Sequence[tuple[int, int]],
    locations: Tensor,
    weights: Tensor,
) -> Tensor:
    """For each query and head, the weighed sum of samples of feature maps.

    value: [batch, positions, heads, channels], the maps' pixels level after level, row by row;
    shapes: height and width of each level, as pairs or as [levels, 2] int32 (of which no portable
    form can be exported: it has to know them); locations: [batch, queries, heads, levels, points,
    2], x and y from 0 to 1; weights: [batch, queries, heads, levels, points]. Returns [batch,
    queries, heads * channels]. Differentiable. Source: Zhu et al., Deformable DETR (2021).
    """
    if not isinstance(shapes, Tensor):
        if in_portable_form():
            return _attend(value, shapes, locations, weights)
        shapes = torch.tensor(shapes, dtype=torch.int32).to(value.device)
    elif in_portable_form() and torch.compiler.is_exporting():
        raise ConfigError(
            where="multi_scale_deformable_attention, shapes",
            expected="pairs of numbers: the portable form holds them as constants",
            got="a tensor",
            action="Pass shapes=[(height, width), ...].",
        )
    attended: Tensor = OPERATOR(value, shapes, locations, weights)
    return attended
