"""The operators' cases as data: random input of many shapes, and how close each type has to come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Generator = np.random.Generator


@dataclass(frozen=True)
class Call:
    """inputs: float64 or int32 arrays in the schema's order; a test casts floats to its type."""

    inputs: tuple[Array, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class OperatorCase:
    """draw: a random call. edges: calls that are easy to get wrong. tolerance: by element type,
    max|a - b| / max|b| against the float64 reference of the same rounded inputs."""

    name: str
    draw: Callable[[Generator], Call]
    edges: Mapping[str, Callable[[Generator], Call]]
    tolerance: Mapping[str, float]


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


CASES = (
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
)
