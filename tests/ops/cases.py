"""The operators' cases as data: random input of many shapes, and how close each has to come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from plait_export.ops import bev_points

Array = NDArray[Any]
Generator = np.random.Generator


@dataclass(frozen=True)
class Call:
    """inputs: float64 or int32 arrays in the schema's order; a test casts floats to its type, but
    those of float32_only, which the operator takes in no other."""

    inputs: tuple[Array, ...]
    attributes: Mapping[str, Any]
    float32_only: tuple[int, ...] = ()

    def replaced(self, index: int, array: Array) -> Call:
        inputs = (*self.inputs[:index], array, *self.inputs[index + 1 :])
        return Call(inputs, self.attributes, self.float32_only)


@dataclass(frozen=True)
class OperatorCase:
    """draw: a random call. edges: calls that are easy to get wrong. tolerance: by element type,
    max|a - b| / max|b| against the float64 reference of the same rounded inputs. terms: for sums
    that may cancel, a call whose answer, the sum of their terms' magnitudes, stands for b.
    poisoned: inputs in which NaN and infinity have to spread as in the reference."""

    name: str
    draw: Callable[[Generator], Call]
    edges: Mapping[str, Callable[[Generator], Call]]
    tolerance: Mapping[str, float]
    terms: Callable[[Call], Call] | None = None
    poisoned: Sequence[int] = (0,)


def _gated_fusion(generator: Generator, modalities: int, tokens: int, channels: int) -> Call:
    shape = (modalities, tokens, channels)
    inputs = (
        generator.normal(size=shape) * 3.0,
        generator.normal(size=shape),
        generator.normal(size=channels),
        generator.normal(size=channels),
    )
    return Call(inputs, {"epsilon": float(generator.uniform(1e-6, 1e-3))})


def _any_gated_fusion(generator: Generator) -> Call:
    modalities, tokens = generator.integers(1, 6, 2)
    return _gated_fusion(generator, int(modalities), int(tokens), int(generator.integers(2, 200)))


def _saturated(generator: Generator) -> Call:
    call = _gated_fusion(generator, 3, 5, 37)
    return Call((call.inputs[0] * 1e4, *call.inputs[1:]), call.attributes)


def _segment_reduce(generator: Generator, lengths: Array, channels: int, reduce: str) -> Call:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = generator.normal(size=(int(offsets[-1]), channels))
    return Call((values, offsets), {"reduce": reduce})


def _negative(call: Call) -> Call:
    return Call((-np.abs(call.inputs[0]) - 0.5, *call.inputs[1:]), call.attributes)


def _any_segment_reduce(generator: Generator) -> Call:
    lengths = generator.geometric(0.2, generator.integers(1, 90)) - 1
    reduce = str(generator.choice(["sum", "mean", "max"]))
    return _segment_reduce(generator, lengths, int(generator.integers(1, 150)), reduce)


def _deformable(
    generator: Generator, sizes: tuple[int, int, int, int, int], levels: list[tuple[int, int]]
) -> Call:
    """sizes: batch, queries, heads, channels, points."""
    batch, queries, heads, channels, points = sizes
    positions = sum(height * width for height, width in levels)
    shape = (batch, queries, heads, len(levels), points)
    inputs = (
        generator.normal(size=(batch, positions, heads, channels)),
        np.array(levels, np.int32),
        generator.uniform(-0.2, 1.2, size=(*shape, 2)),
        generator.uniform(size=shape) / max(len(levels) * points, 1),
    )
    return Call(inputs, {})


def _any_deformable(generator: Generator) -> Call:
    levels = [(int(h), int(w)) for h, w in generator.integers(1, 20, (generator.integers(1, 5), 2))]
    batch, heads, points = (int(n) for n in generator.integers(1, 6, 3))
    queries, channels = (int(n) for n in generator.integers(1, 40, 2))
    return _deformable(generator, (batch, queries, heads, channels, points), levels)


def _outside(generator: Generator) -> Call:
    call = _deformable(generator, (1, 9, 2, 8, 4), [(4, 4)])
    far = np.where(generator.random(call.inputs[2].shape) < 0.5, -1e4, 1e4)
    return Call((*call.inputs[:2], far, call.inputs[3]), {})


def _borders(generator: Generator) -> Call:
    call = _deformable(generator, (1, 9, 2, 8, 4), [(4, 8)])
    borders = generator.choice([0.0, 1.0, 0.125, 0.875, 0.0625, 0.9375], call.inputs[2].shape)
    return Call((*call.inputs[:2], borders, call.inputs[3]), {})


def _bev_pool(
    generator: Generator, sizes: tuple[int, int, int, int, int], cells: int, rows: int
) -> Call:
    """sizes: cameras, bins, height, width, channels."""
    cameras, bins, height, width, channels = sizes
    owners = generator.integers(-cells // 3 - 1, cells + 1, (cameras, bins, height, width))
    points = bev_points(torch.from_numpy(owners), cells)
    inputs = (
        generator.uniform(size=owners.shape),
        generator.normal(size=(cameras, channels, height, width)),
        *(array.numpy() for array in points),
    )
    return Call(inputs, {"rows": rows})


def _any_bev_pool(generator: Generator) -> Call:
    cameras, bins, height, width = (int(n) for n in generator.integers(1, 7, 4))
    rows = int(generator.integers(1, 9))
    cells = rows * int(generator.integers(1, 30))
    return _bev_pool(
        generator, (cameras, bins, height, width, int(generator.integers(1, 150))), cells, rows
    )


def _presence_pack(
    generator: Generator, presence: Array, lengths: Sequence[int], channels: int
) -> Call:
    """presence: [batch, modalities], 0 or 1, drawn from around 0.5 here."""
    noise = generator.uniform(0.01, 0.5, presence.shape)
    tokens = generator.normal(size=(presence.shape[0], sum(lengths), channels))
    return Call((tokens, np.where(presence, 0.5 + noise, 0.5 - noise), np.int32(lengths)), {})


def _any_presence_pack(generator: Generator) -> Call:
    batch, modalities = (int(n) for n in generator.integers(1, 5, 2))
    presence = generator.random((batch, modalities)) < 0.6
    lengths = [int(n) for n in generator.integers(0, 20, modalities)]
    return _presence_pack(generator, presence, lengths, int(generator.integers(1, 70)))


def _packed_all(generator: Generator, present: bool) -> Call:
    return _presence_pack(generator, np.full((2, 3), present), (4, 0, 9), 33)


def _on_the_threshold(generator: Generator) -> Call:
    call = _presence_pack(generator, np.array([[1, 0], [0, 1]]), (3, 5), 7)
    return Call((call.inputs[0], np.array([[0.5, np.nan], [-np.inf, np.inf]]), call.inputs[2]), {})


def _presence_unpack(generator: Generator, kept: Array, channels: int) -> Call:
    """kept: [batch, tokens], whether a token was."""
    batch, tokens = kept.shape
    positions = np.full((batch, int(kept.sum(1).max(initial=0))), -1, np.int32)
    for row, found in enumerate(kept):
        positions[row, : found.sum()] = np.nonzero(found)[0]
    packed = generator.normal(size=(*positions.shape, channels))
    return Call((packed, positions, generator.normal(size=(tokens, channels))), {})


def _any_presence_unpack(generator: Generator) -> Call:
    shape = (int(generator.integers(1, 5)), int(generator.integers(1, 50)))
    return _presence_unpack(
        generator, generator.random(shape) < 0.6, int(generator.integers(1, 70))
    )


def _skeleton(generator: Generator, rows: int, channels: int) -> Call:
    inputs = (generator.normal(size=(rows, channels)), generator.normal(size=channels))
    return Call(inputs, {"gain": float(generator.normal())})


def _any_skeleton(generator: Generator) -> Call:
    rows, channels = (int(n) for n in generator.integers(1, 70, 2))
    return _skeleton(generator, rows, channels)


def _magnitudes(call: Call) -> Call:
    inputs = tuple(np.abs(array) for array in call.inputs)
    return Call(inputs, {"gain": abs(call.attributes["gain"])})


def _pillar_scatter(
    generator: Generator, shape: tuple[int, int], rows: int, columns: int, reduce: str
) -> Call:
    """shape: points, channels."""
    points, channels = shape
    cells = generator.integers(-rows * columns // 4 - 1, rows * columns, points)
    inputs = (generator.normal(size=(points, channels)), cells.astype(np.int32))
    return Call(inputs, {"rows": rows, "columns": columns, "reduce": reduce})


def _any_pillar_scatter(generator: Generator) -> Call:
    points, channels, rows, columns = (int(n) for n in generator.integers(1, (400, 90, 30, 30)))
    reduce = str(generator.choice(["max", "mean", "sum"]))
    return _pillar_scatter(generator, (points, channels), rows, columns, reduce)


def _one_cell(call: Call, cell: int) -> Call:
    return call.replaced(1, np.full_like(call.inputs[1], cell))


# Where a point lies in its cell, in cells: so far from the borders that rounding moves no point to
# another cell, whatever the type of the input.
_MARGIN = 0.2


def _voxel_reduce(
    generator: Generator,
    shape: tuple[int, int],
    grid: tuple[int, int, int],
    capacity: int,
    reduce: str,
) -> Call:
    """Points of a turned and shifted sensor, some of them outside of the grid. shape: points,
    channels."""
    points, channels = shape
    size = generator.uniform([0.1, 0.1, 0.2], [0.5, 0.5, 4.0]).astype(np.float32).astype(float)
    lower = generator.uniform(-9.0, 1.0, 3).astype(np.float32).astype(float)
    cells = np.array(grid)
    steps = np.floor(generator.uniform(-0.1, 1.1, (points, 3)) * cells)
    inside = steps + generator.uniform(_MARGIN, 1.0 - _MARGIN, (points, 3))
    turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    shift = generator.normal(size=3)
    placed = (lower + inside * size - shift) @ turn
    rest = generator.normal(size=(points, channels - 3))
    transform = np.concatenate([turn, shift[:, None]], 1)
    attributes = {
        "lower": lower.tolist(),
        "upper": (lower + cells * size).tolist(),
        "size": size.tolist(),
        "capacity": capacity,
        "reduce": reduce,
    }
    inputs = (np.concatenate([placed, rest], 1), transform.astype(np.float32).astype(float))
    return Call(inputs, attributes, float32_only=(1,))


def _any_voxel_reduce(generator: Generator) -> Call:
    points, channels, capacity = (int(n) for n in generator.integers((1, 3, 1), (500, 25, 300)))
    x, y, z = (int(n) for n in generator.integers(1, (20, 20, 4)))
    reduce = str(generator.choice(["mean", "max"]))
    return _voxel_reduce(generator, (points, channels), (x, y, z), capacity, reduce)


CASES = (
    OperatorCase(
        "BevPool",
        _any_bev_pool,
        {
            "one of everything": lambda g: _bev_pool(g, (1, 1, 1, 1, 1), 1, 1),
            "no point": lambda g: _bev_pool(g, (2, 0, 3, 5, 7), 12, 3),
            "no cell": lambda g: _bev_pool(g, (2, 2, 3, 5, 7), 0, 3),
            "no channel": lambda g: _bev_pool(g, (1, 2, 3, 5, 0), 6, 2),
            "all points in one cell": lambda g: _bev_pool(g, (2, 9, 5, 7, 33), 1, 1),
            "more cells than a tile": lambda g: _bev_pool(g, (3, 8, 9, 11, 80), 20 * 131, 20),
            "written past the cache": lambda g: _bev_pool(g, (1, 9, 4, 5, 68), 250 * 252, 250),
        },
        {"float32": 1e-5, "float16": 1e-3},
        poisoned=(0, 1),
    ),
    OperatorCase(
        "GatedFusion",
        _any_gated_fusion,
        {
            "one element": lambda g: _gated_fusion(g, 1, 1, 1),
            "no token": lambda g: _gated_fusion(g, 3, 0, 5),
            "no modality": lambda g: _gated_fusion(g, 0, 2, 7),
            "one channel less than a vector": lambda g: _gated_fusion(g, 2, 3, 15),
            "one channel more than a vector": lambda g: _gated_fusion(g, 2, 3, 17),
            "more tokens than threads share evenly": lambda g: _gated_fusion(g, 2, 13, 64),
            "gates beyond the range of exp": _saturated,
        },
        {"float32": 1e-5, "float16": 2e-3},
        poisoned=(0, 1, 2, 3),
    ),
    OperatorCase(
        "MultiScaleDeformableAttention",
        _any_deformable,
        {
            "one of everything": lambda g: _deformable(g, (1, 1, 1, 1, 1), [(1, 1)]),
            "no query": lambda g: _deformable(g, (2, 0, 3, 8, 4), [(3, 5)]),
            "no point": lambda g: _deformable(g, (1, 3, 2, 8, 0), [(3, 5)]),
            "more points than a vector": lambda g: _deformable(g, (1, 4, 1, 16, 23), [(7, 9)] * 3),
            "the shape of Deformable DETR": lambda g: _deformable(
                g, (1, 30, 8, 32, 4), [(38, 64), (19, 32), (10, 16), (5, 8)]
            ),
            "each pixel sampled often, by more threads than heads": lambda g: _deformable(
                g, (1, 300, 2, 20, 4), [(3, 5), (2, 2)]
            ),
            "far outside": _outside,
            "on the borders": _borders,
        },
        {"float32": 1e-5, "float16": 4e-3},
    ),
    OperatorCase(
        "PillarScatter",
        _any_pillar_scatter,
        {
            "one of everything": lambda g: _pillar_scatter(g, (1, 1), 1, 1, "max"),
            "no point": lambda g: _pillar_scatter(g, (0, 5), 3, 7, "max"),
            "no channel": lambda g: _pillar_scatter(g, (9, 0), 3, 7, "sum"),
            "negative maxima": lambda g: _negative(_pillar_scatter(g, (90, 33), 9, 9, "max")),
            "all points left out": lambda g: _one_cell(
                _pillar_scatter(g, (9, 5), 3, 7, "mean"), -1
            ),
            "all points in the last cell": lambda g: _one_cell(
                _pillar_scatter(g, (99, 17), 8, 9, "mean"), 71
            ),
            "more points than a block sorts": lambda g: _pillar_scatter(g, (5003, 3), 9, 9, "sum"),
            "few points on many cells": lambda g: _pillar_scatter(g, (40, 64), 61, 127, "max"),
            "written past the cache": lambda g: _pillar_scatter(g, (900, 68), 256, 256, "max"),
        },
        {"float32": 1e-5, "float16": 1e-3},
    ),
    OperatorCase(
        "PresencePack",
        _any_presence_pack,
        {
            "everything present": lambda g: _packed_all(g, True),
            "nothing present": lambda g: _packed_all(g, False),
            "one modality of one token": lambda g: _presence_pack(g, np.ones((1, 1)), (1,), 1),
            "no modality": lambda g: _presence_pack(g, np.ones((2, 0)), (), 5),
            "no batch row": lambda g: _presence_pack(g, np.ones((0, 2)), (3, 4), 5),
            "no channel": lambda g: _presence_pack(g, np.array([[1, 0], [1, 1]]), (3, 4), 0),
            "rows of very different lengths": lambda g: _presence_pack(g, np.eye(3), (1, 90, 7), 8),
            "presence on the threshold, or no number": _on_the_threshold,
        },
        {"float32": 0.0, "float16": 0.0},
        poisoned=(0, 1),
    ),
    OperatorCase(
        "PresenceUnpack",
        _any_presence_unpack,
        {
            "every token kept": lambda g: _presence_unpack(g, np.ones((2, 13), bool), 33),
            "no token kept": lambda g: _presence_unpack(g, np.zeros((2, 13), bool), 33),
            "no token": lambda g: _presence_unpack(g, np.zeros((2, 0), bool), 5),
            "no batch row": lambda g: _presence_unpack(g, np.zeros((0, 4), bool), 5),
            "no channel": lambda g: _presence_unpack(g, np.eye(3, dtype=bool), 0),
            "one token": lambda g: _presence_unpack(g, np.ones((1, 1), bool), 1),
        },
        {"float32": 0.0, "float16": 0.0},
        poisoned=(0, 2),
    ),
    OperatorCase(
        "SegmentReduce",
        _any_segment_reduce,
        {
            "no segment": lambda g: _segment_reduce(g, np.zeros(0, int), 5, "sum"),
            "empty segments only": lambda g: _segment_reduce(g, np.zeros(3, int), 5, "mean"),
            "one long segment": lambda g: _segment_reduce(g, np.array([999]), 3, "mean"),
            "no channel": lambda g: _segment_reduce(g, np.array([2, 3]), 0, "max"),
            "negative maxima": lambda g: _negative(_segment_reduce(g, np.arange(9), 33, "max")),
            "rows of whole vectors": lambda g: _segment_reduce(g, np.arange(20), 128, "sum"),
        },
        {"float32": 1e-5, "float16": 1e-3},
    ),
    OperatorCase(
        "Skeleton",
        _any_skeleton,
        {
            "one value": lambda g: _skeleton(g, 1, 1),
            "no row": lambda g: _skeleton(g, 0, 5),
            "no channel": lambda g: _skeleton(g, 5, 0),
        },
        {"float32": 1e-6, "float16": 2e-3},
        terms=_magnitudes,
        poisoned=(0, 1),
    ),
    OperatorCase(
        "VoxelReduce",
        _any_voxel_reduce,
        {
            "one of everything": lambda g: _voxel_reduce(g, (1, 3), (1, 1, 1), 1, "mean"),
            "no point": lambda g: _voxel_reduce(g, (0, 5), (4, 3, 2), 7, "max"),
            "all points in one voxel": lambda g: _voxel_reduce(g, (300, 5), (1, 1, 1), 9, "mean"),
            "more voxels than the capacity": lambda g: _voxel_reduce(
                g, (300, 4), (20, 20, 3), 50, "max"
            ),
            "more points than a block sorts": lambda g: _voxel_reduce(
                g, (5003, 4), (20, 20, 3), 900, "mean"
            ),
            "as many channels as a vector": lambda g: _voxel_reduce(
                g, (200, 16), (9, 9, 1), 99, "mean"
            ),
            "more cells than fit a table": lambda g: _voxel_reduce(
                g, (400, 5), (1440, 1440, 40), 500, "mean"
            ),
        },
        {"float32": 1e-5, "float16": 1e-3},
        poisoned=(0, 1),
    ),
)
