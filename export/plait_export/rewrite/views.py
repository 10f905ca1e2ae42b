"""Chains of nodes that only move elements, understood by what they do to element numbers.

Number the elements of a tensor, send the numbers through a chain of Reshape, Transpose, Slice and
the like, and what comes out says where every element came from. Two ways of writing the same view
give the same numbers, so that no pass has to know how an exporter writes one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from plait_export.rewrite.graph import Array, GraphIndex, attribute

VIEWS = {
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
FLOATS = {"float16", "float32", "float64"}
SCATTERS = {"ScatterElements", "ScatterND"}
_RESHAPES = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}


@dataclass(frozen=True)
class Step:
    """One node of a chain: its moved input and its output."""

    node: onnx.NodeProto
    source: str
    result: str


@dataclass(frozen=True)
class Affine:
    """x * scale + offset."""

    scale: float = 1.0
    offset: float = 0.0


class Views:
    """Follows views in one graph, with shapes and values as they were observed."""

    def __init__(
        self,
        index: GraphIndex,
        shapes: Mapping[str, tuple[int, ...]],
        values: Mapping[str, Array],
    ) -> None:
        self.index = index
        self.shapes = shapes
        self._values = values

    def value(self, name: str) -> Array | None:
        """A constant, or what was observed."""
        constant = self.index.constant(name)
        return self._values.get(name) if constant is None else constant

    def size(self, name: str) -> int:
        return math.prod(self.shapes[name])

    def back(
        self, value: str, also: Callable[[onnx.NodeProto], int | None] | None = None
    ) -> list[Step]:
        """The steps that lead to a value, the last one first, as far as views go. also: of another
        node, which of its inputs to follow it by, if any."""
        steps = []
        while (node := self.index.producer(value)) is not None and value in self.shapes:
            if node.op_type in VIEWS:
                position: int | None = 0
            else:
                position = also(node) if also is not None else None
            if position is None or node.input[position] not in self.shapes:
                break
            steps.append(Step(node, node.input[position], value))
            value = node.input[position]
        return steps

    def forward(self, value: str) -> list[Step]:
        """The views that a value goes through, the first one first, while nothing else uses it."""
        steps = []
        while (node := self.index.only_consumer(value)) is not None:
            moved = node.op_type in VIEWS and node.input[0] == value and len(node.output) == 1
            if not moved or node.output[0] not in self.shapes:
                break
            steps.append(Step(node, value, node.output[0]))
            value = node.output[0]
        return steps

    def numbers(self, value: str) -> Array:
        """The numbers 0, 1, ... of a value's elements, in its shape."""
        size = self.size(value)
        dtype = np.int32 if size < 2**31 else np.int64
        return np.arange(size, dtype=dtype).reshape(self.shapes[value])

    def origins(self, source: str, steps: list[Step]) -> Array | None:
        """Which element of `source` each element at the end of a chain from `back` is; None where
        the chain does not come by it, or a view cannot be followed."""
        following = [step.source for step in steps]
        if source not in following:
            return None
        numbers: Array | None = self.numbers(source)
        for step in reversed(steps[: following.index(source) + 1]):
            numbers = self.move(step, numbers)
        return numbers

    def move(self, step: Step, array: Array | None) -> Array | None:
        """What a step does to an array of its source's shape. Other nodes than views broadcast."""
        if array is None:
            return None
        node, shape = step.node, self.shapes[step.result]
        if node.op_type in _RESHAPES:
            return array.reshape(shape)
        if node.op_type == "Transpose":
            return array.transpose(attribute(node, "perm"))
        if node.op_type in ("Gather", "Slice", "Split"):
            return self._cut(node, step.result, array)
        return np.broadcast_to(array, shape)

    def _cut(self, node: onnx.NodeProto, result: str, array: Array) -> Array | None:
        if node.op_type == "Split":
            return self._split(node, result, array)
        if node.op_type == "Slice":
            return self._slice(node, array)
        picked = self.value(node.input[1])
        return None if picked is None else array.take(picked, attribute(node, "axis", 0))

    def _split(self, node: onnx.NodeProto, result: str, array: Array) -> Array | None:
        axis = attribute(node, "axis", 0)
        start = 0
        for name in node.output:
            if name not in self.shapes:
                return None
            stop = start + self.shapes[name][axis]
            if name == result:
                taken: Array = array.take(np.arange(start, stop), axis)
                return taken
            start = stop
        return None

    def _slice(self, node: onnx.NodeProto, array: Array) -> Array | None:
        said = [self.value(name) if name else None for name in node.input[1:]]
        missing = [
            name
            for name, value in zip(node.input[1:], said, strict=True)
            if name and (value is None)
        ]
        if missing or len(said) < 2 or said[0] is None or said[1] is None:
            return None
        starts, ends = said[0], said[1]
        axes = said[2] if len(said) > 2 and said[2] is not None else np.arange(len(starts))
        steps = said[3] if len(said) > 3 and said[3] is not None else np.ones(len(starts), int)
        cut = [slice(None)] * array.ndim
        for start, end, axis, stride in zip(starts, ends, axes, steps, strict=True):
            if stride < 1:
                return None
            cut[int(axis)] = slice(int(start), int(end), int(stride))
        return array[tuple(cut)]

    def scalar_step(self, node: onnx.NodeProto) -> int | None:
        """Of x + c, x - c, x * c, x / c and c + x, c * x with one constant number c, and of a cast
        between floats: where x is."""
        if node.op_type == "Cast":
            types = (self.index.element_type(name) for name in (node.input[0], node.output[0]))
            return 0 if all(name in FLOATS for name in types) else None
        if node.op_type not in ("Add", "Sub", "Mul", "Div"):
            return None
        positions = (1, 0) if node.op_type in ("Add", "Mul") else (1,)
        for position in positions:
            constant = self.index.constant(node.input[position])
            if constant is not None and constant.size == 1:
                return 1 - position
        return None

    def affine(self, steps: list[Step]) -> Affine:
        """What the scalar steps of a chain from `back` do to its elements."""
        scale, offset = 1.0, 0.0
        for step in reversed(steps):
            if step.node.op_type in VIEWS or step.node.op_type == "Cast":
                continue
            (other,) = [name for name in step.node.input if name != step.source]
            constant = self.index.constant(other)
            number = 0.0 if constant is None else float(constant.reshape(-1)[0])
            if step.node.op_type in ("Add", "Sub"):
                offset += number if step.node.op_type == "Add" else -number
            else:
                factor = number if step.node.op_type == "Mul" else 1.0 / number
                scale, offset = scale * factor, offset * factor
        return Affine(scale, offset)


def sources(value: str, steps: list[Step]) -> list[str]:
    """Every tensor along a chain from `back`, the nearest first."""
    return [value, *(step.source for step in steps)]
