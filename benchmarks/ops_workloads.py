"""The fused operators' workloads: real sizes of camera and LiDAR fusion, one entry each.

A workload is a torch module that calls `plait_export.ops`, its inputs, and what the least possible
work of it is; `benchmarks/ops.py` exports it in both forms and times them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from plait_export import ops
from tests.cases import fusion_transformer


@dataclass(frozen=True)
class Workload:
    """inputs: of module. bytes: every input read once and every output written once. flops:
    multiplications and additions that any implementation has to do. common: the same computed as
    published training code does it, where that exports to another graph than our portable form;
    takes the same inputs.
    """

    name: str
    operator: str
    module: nn.Module
    inputs: tuple[Tensor, ...]
    bytes: int
    flops: int
    rounds: int
    common: nn.Module | None = None


def all_workloads(seed: int) -> list[Workload]:
    """Made one after the other from one generator: the same for a seed."""
    generator = torch.Generator().manual_seed(seed)
    return [make(generator) for make in _WORKLOADS]


def _bytes(*tensors: Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


# --- multi-scale deformable attention: Deformable DETR's levels of a 1024 x 608 picture ---

_LEVELS = [(76, 128), (38, 64), (19, 32), (10, 16)]
_HEADS, _CHANNELS, _POINTS = 8, 32, 4


class _Deformable(nn.Module):
    def forward(self, value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return ops.multi_scale_deformable_attention(value, _LEVELS, locations, weights)


def _deformable(generator: Generator, queries: int | None) -> Workload:
    """queries: of a decoder, anywhere; None: one at each position, as in an encoder."""
    positions = sum(height * width for height, width in _LEVELS)
    if queries is None:
        queries = positions
        anchors = torch.cat([_centres(height, width) for height, width in _LEVELS])
    else:
        anchors = torch.rand(queries, 2, generator=generator)
    shape = (1, queries, _HEADS, len(_LEVELS), _POINTS)
    sizes = torch.tensor([[width, height] for height, width in _LEVELS], dtype=torch.float32)
    # Trained offsets reach a few pixels of each level.
    offsets = 2.0 * torch.randn(*shape, 2, generator=generator) / sizes[:, None, :]
    locations = anchors.view(1, queries, 1, 1, 1, 2) + offsets
    weights = torch.randn(*shape[:3], len(_LEVELS) * _POINTS, generator=generator).softmax(-1)
    value = torch.randn(1, positions, _HEADS, _CHANNELS, generator=generator)
    samples = queries * _HEADS * len(_LEVELS) * _POINTS
    inputs = (value, locations.contiguous(), weights.view(shape).contiguous())
    return Workload(
        f"deformable attention, {queries} queries",
        "MultiScaleDeformableAttention",
        _Deformable().eval(),
        inputs,
        bytes=_bytes(*inputs) + queries * _HEADS * _CHANNELS * 4,
        flops=samples * 4 * _CHANNELS * 2,
        rounds=31 if queries > 2000 else 101,
    )


def _centres(height: int, width: int) -> Tensor:
    """x and y of every pixel's centre, [height * width, 2], from 0 to 1."""
    rows = (torch.arange(height) + 0.5) / height
    columns = (torch.arange(width) + 0.5) / width
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1).view(-1, 2)


# --- BEV pooling: six cameras around a car, 0.3 m cells, as CUDA-BEVFusion scales it ---

_BINS, _ROWS, _COLUMNS, _CONTEXT, _CELLS, _CELL = 118, 32, 88, 80, 360, 0.3


def _bev_cells(cameras: int) -> Tensor:
    """The cell of every camera's pixel at every depth, [cameras, bins, rows, columns]; -1: none."""
    focal = 0.8 * _COLUMNS
    depth = 1.0 + 0.5 * torch.arange(_BINS).view(-1, 1, 1)
    across = (torch.arange(_COLUMNS) + 0.5 - _COLUMNS / 2).view(1, 1, -1) / focal * depth
    down = (torch.arange(_ROWS) + 0.5 - _ROWS / 2).view(1, -1, 1) / focal * depth
    shape = (_BINS, _ROWS, _COLUMNS)
    cells = []
    for camera in range(cameras):
        angle = camera * math.pi / 3.0
        ahead = depth * math.cos(angle) - across * math.sin(angle)
        aside = depth * math.sin(angle) + across * math.cos(angle)
        x = ((ahead + _CELLS * _CELL / 2) / _CELL).floor().long()
        y = ((aside + _CELLS * _CELL / 2) / _CELL).floor().long()
        inside = (x >= 0) & (x < _CELLS) & (y >= 0) & (y < _CELLS) & (down.abs() < 10.0)
        cells.append(torch.where(inside, y * _CELLS + x, -1).expand(shape))
    return torch.stack(cells)


class _BevPool(nn.Module):
    def __init__(self, cells: Tensor) -> None:
        super().__init__()
        points = ops.bev_points(cells, _CELLS * _CELLS)
        self.register_buffer("depths", points.depths)
        self.register_buffer("pixels", points.pixels)
        self.register_buffer("offsets", points.offsets)

    def forward(self, depth: Tensor, context: Tensor) -> Tensor:
        points = ops.BevPoints(
            self.get_buffer("depths"), self.get_buffer("pixels"), self.get_buffer("offsets")
        )
        return ops.bev_pool(depth, context, points, _CELLS)


class _LiftSplat(nn.Module):
    """All products stored, then added by cell, those that fall into none as well: Lift, Splat,
    Shoot without its sort, which does not export."""

    def __init__(self, cells: Tensor) -> None:
        super().__init__()
        count = _CELLS * _CELLS
        self.register_buffer("cells", torch.where(cells < 0, count, cells).reshape(-1))

    def forward(self, depth: Tensor, context: Tensor) -> Tensor:
        lifted = (depth.unsqueeze(1) * context.unsqueeze(2)).permute(0, 2, 3, 4, 1)
        plane = torch.zeros(_CELLS * _CELLS + 1, _CONTEXT)
        cells = self.get_buffer("cells")
        plane = plane.index_put((cells,), lifted.reshape(-1, _CONTEXT), accumulate=True)
        return plane[:-1].t().reshape(_CONTEXT, _CELLS, _CELLS)


def _bev_pool(generator: Generator, cameras: int) -> Workload:
    cells = _bev_cells(cameras)
    module = _BevPool(cells).eval()
    depth = torch.randn(cameras, _BINS, _ROWS, _COLUMNS, generator=generator).softmax(1)
    context = torch.randn(cameras, _CONTEXT, _ROWS, _COLUMNS, generator=generator)
    points = module.get_buffer("depths").numel()
    return Workload(
        f"BEV pooling, {cameras} camera{'s' if cameras > 1 else ''}, {points} points",
        "BevPool",
        module,
        (depth, context),
        bytes=_bytes(depth, context, *module.buffers()) + _CONTEXT * _CELLS * _CELLS * 4,
        flops=points * _CONTEXT * 2,
        rounds=31,
        common=_LiftSplat(cells).eval(),
    )


# --- gated fusion of three modalities ---


class _GatedFusion(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, gate: Tensor, embeddings: Tensor) -> Tensor:
        return ops.gated_fusion(gate, embeddings, self.norm.weight, self.norm.bias, 1e-5)


def _gated_fusion(generator: Generator, tokens: int) -> Workload:
    modalities, channels = 3, 512
    gate = torch.randn(modalities, tokens, channels, generator=generator)
    embeddings = torch.randn(modalities, tokens, channels, generator=generator)
    return Workload(
        f"gated fusion, {modalities} modalities, {tokens} x {channels}",
        "GatedFusion",
        _GatedFusion(channels).eval(),
        (gate, embeddings),
        bytes=_bytes(gate, embeddings) + tokens * channels * 4,
        # exp counts as one: nobody computes it in fewer.
        flops=modalities * tokens * channels * 4 + tokens * channels * 6,
        rounds=201,
    )


# --- a LiDAR's sweep in voxels, and PointPillars' points on their canvas ---

_REACH, _VOXEL, _SIDE, _CAPACITY = 51.2, 0.2, 512, 100_000


class _VoxelReduce(nn.Module):
    def forward(self, points: Tensor, transform: Tensor) -> Tensor:
        reach = (-_REACH, -_REACH, -5.0), (_REACH, _REACH, 3.0)
        size, capacity = (_VOXEL, _VOXEL, 8.0), _CAPACITY
        lower, upper = reach
        return ops.voxel_reduce(
            points, transform, lower=lower, upper=upper, size=size, capacity=capacity
        ).features


def _voxel_reduce(generator: Generator) -> Workload:
    """Denser near the sensor, as sweeps are; x, y, z, intensity and age."""
    count = 200_000
    distance = torch.rand(count, generator=generator).square() * 70.0 + 2.0
    angle = torch.rand(count, generator=generator) * 2.0 * math.pi
    columns = [
        distance * angle.cos(),
        distance * angle.sin(),
        torch.randn(count, generator=generator),
        torch.rand(count, generator=generator),
        torch.zeros(count),
    ]
    inputs = (torch.stack(columns, 1).contiguous(), torch.eye(4)[:3].contiguous())
    module = _VoxelReduce().eval()
    outputs = module(*inputs).numel() + _CAPACITY + count
    return Workload(
        f"voxel mean, {count} points",
        "VoxelReduce",
        module,
        inputs,
        bytes=_bytes(*inputs) + outputs * 4,
        flops=count * (18 + 6 + 5),
        rounds=61,
    )


class _PillarScatter(nn.Module):
    def __init__(self, cells: Tensor) -> None:
        super().__init__()
        self.register_buffer("cells", cells)

    def forward(self, values: Tensor) -> Tensor:
        return ops.pillar_scatter(values, self.get_buffer("cells"), _SIDE, _SIDE)


def _pillar_scatter(generator: Generator) -> Workload:
    count, channels = 100_000, 64
    cells = torch.randint(0, _SIDE * _SIDE, (count,), generator=generator).int()
    values = torch.randn(count, channels, generator=generator).relu()
    return Workload(
        f"pillar maximum, {count} points x {channels}",
        "PillarScatter",
        _PillarScatter(cells).eval(),
        (values,),
        bytes=_bytes(values, cells) + channels * _SIDE * _SIDE * 4,
        flops=count * channels,
        rounds=31,
    )


# --- a fusion transformer with one of three modalities absent ---


def _fusion_transformer(generator: Generator) -> Workload:
    """196 tokens of a picture, 100 of sound, which is absent, 32 of text."""
    lengths, channels, layers = (196, 100, 32), 512, 4
    packing, masking = fusion_transformer.models(lengths, channels=channels, heads=8, layers=layers)
    count = sum(lengths)
    tokens = torch.randn(1, count, channels, generator=generator)
    presence = torch.tensor([[1.0, 0.0, 1.0]])
    kept = lengths[0] + lengths[2]
    parameters = sum(p.numel() for p in packing.parameters())
    return Workload(
        f"transformer of {layers} layers, {kept} of {count} tokens present",
        "PresencePack",
        packing.eval(),
        (tokens, presence),
        bytes=_bytes(tokens) * 2 + parameters * 4,
        flops=2 * kept * parameters + layers * 4 * kept * kept * channels,
        rounds=31,
        common=masking.eval(),
    )


_WORKLOADS: tuple[Callable[[Generator], Workload], ...] = (
    lambda generator: _deformable(generator, 900),
    lambda generator: _deformable(generator, None),
    lambda generator: _bev_pool(generator, 1),
    lambda generator: _bev_pool(generator, 6),
    lambda generator: _gated_fusion(generator, 256),
    lambda generator: _gated_fusion(generator, 4096),
    _voxel_reduce,
    _pillar_scatter,
    _fusion_transformer,
)
