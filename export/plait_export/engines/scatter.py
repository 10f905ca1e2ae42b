"""Scatters that reduce, written in operators that TensorRT has: its ONNX parser takes only scatters
that overwrite.

Rows are brought into the order of their targets; then each target's rows are neighbours, and are
reduced in a tree. Where the targets are constants the tree is a few gathers from tables made here.
Else they are sorted in the graph, digit by digit (LSD radix sort: every digit's rows are counted by
a running sum, and no two rows are written to one place), and reduced by a segmented scan that
doubles its reach at each step (Hillis and Steele, Data Parallel Algorithms, 1986). Sums are taken
pairwise, so that they are at least as exact as one after the other, and do not depend on an order
in which a device happens to write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from plait_export.engines.half import inner_graphs

_COMBINE = {"add": "Add", "max": "Max", "min": "Min"}
_REDUCE = {"add": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin"}
_DIGIT = 16  # values of one digit of the sort
_LONG = 1024  # values of a running sum that is taken apart
_BRANCHES = 4  # of a tree over constant targets

Array = NDArray[Any]


def without_reductions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, its scatters with a reduction along the first axis written out; the others,
    and those of unknown sizes, are left. The model itself where there is none."""
    if not any(_kind(node) for node in _every_node(model.graph)):
        return model
    rewritten = _Rewriting(model).model
    used = {name for node in _every_node(rewritten.graph) for name in node.input}
    used |= {output.name for output in rewritten.graph.output}
    kept = [tensor for tensor in rewritten.graph.initializer if tensor.name in used]
    del rewritten.graph.initializer[:]
    rewritten.graph.initializer.extend(kept)
    return rewritten


def _every_node(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    found = []
    for node in graph.node:
        found.append(node)
        for inner in inner_graphs(node):
            found += _every_node(inner)
    return found


def _kind(node: onnx.NodeProto) -> str:
    """ "add", "max" or "min"; "none" of a ScatterElements that overwrites, of which the parser
    takes no more rows than there are targets; empty for any other node."""
    if node.op_type not in ("ScatterND", "ScatterElements"):
        return ""
    given = {attribute.name: attribute for attribute in node.attribute}
    if "axis" in given and given["axis"].i != 0:
        return ""
    kind = given["reduction"].s.decode() if "reduction" in given else "none"
    known = (*_COMBINE, "none") if node.op_type == "ScatterElements" else tuple(_COMBINE)
    return kind if kind in known else ""


@dataclass(frozen=True)
class _Scatter:
    """What one node does. data: [targets, channels]; updates: [rows, channels]; targets: [rows].

    channels: all that follows the first axis. written: what overwrites a target, where it does not
    matter which row is the last: a tensor like updates, or one value.
    """

    kind: str
    data: str
    targets: str
    updates: str
    shape: tuple[int, ...]
    rows: int
    dtype: np.dtype[Any]
    written: str | Array | None

    @property
    def count(self) -> int:
        return self.shape[0]


class _Rewriting:
    """One model's. Constants go to the outermost graph, whose names are seen within the others."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.shape_inference.infer_shapes(model)
        self._values: dict[str, Array] = {}  # constants
        self._infos: dict[str, onnx.TypeProto.Tensor] = {}
        self._sources: dict[str, onnx.NodeProto] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._made = 0
        self._graph(self.model.graph)

    def _graph(self, graph: onnx.GraphProto) -> None:
        for info in (*graph.input, *graph.value_info, *graph.output):
            self._infos[info.name] = info.type.tensor_type
        self._values |= {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        nodes = list(graph.node)
        del graph.node[:]
        for node in nodes:
            for inner in inner_graphs(node):
                self._graph(inner)
            self._nodes = graph.node
            self._sources |= dict.fromkeys(node.output, node)
            scatter = self._scatter(node)
            if scatter is not None:
                self._write(scatter, node.output[0])
            elif self._is_long_sum(node):
                count = self._shape(node.input[0])[0]
                line = self._do("Reshape", node.input[0], _int64(1, -1))
                summed = self._running_sum(line, 1, count)
                self._do("Reshape", summed, _int64(-1), output=node.output[0])
            else:
                graph.node.append(node)

    # What there is.

    def _shape(self, name: str) -> tuple[int, ...]:
        """Empty where a size is not known."""
        if name in self._values:
            return self._values[name].shape
        dims = self._infos[name].shape.dim if name in self._infos else ()
        sizes = tuple(dim.dim_value for dim in dims)
        return sizes if all(sizes) else ()

    def _dtype(self, name: str) -> np.dtype[Any]:
        if name in self._values:
            return self._values[name].dtype
        return np.dtype(helper.tensor_dtype_to_np_dtype(self._infos[name].elem_type))

    def _scatter(self, node: onnx.NodeProto) -> _Scatter | None:
        kind = _kind(node)
        if not kind:
            return None
        data, indices, updates = node.input
        shape, rows = self._shape(data), self._shape(updates)[:1]
        targets = self._targets(node.op_type, indices, shape)
        if not shape or not rows or not targets:
            return None
        if kind == "none" and rows[0] <= shape[0]:
            return None
        written = updates if kind == "none" else self._alike(kind, data, updates)
        return _Scatter(kind, data, targets, updates, shape, rows[0], self._dtype(data), written)

    def _is_long_sum(self, node: onnx.NodeProto) -> bool:
        """A running sum of many integers: how voxels are numbered."""
        if node.op_type != "CumSum" or any(attribute.i for attribute in node.attribute):
            return False
        shape = self._shape(node.input[0])
        return len(shape) == 1 and shape[0] > _LONG and self._dtype(node.input[0]) == np.int64

    def _targets(self, op: str, indices: str, shape: tuple[int, ...]) -> str:
        """The tensor that has the target of each row; empty where rows are torn apart."""
        sizes = self._shape(indices)
        if op == "ScatterND":
            return indices if len(sizes) == 2 and sizes[1] == 1 else ""
        if len(sizes) == 1 == len(shape):
            return indices
        source = self._sources.get(indices)
        if source is None or source.op_type != "Expand" or sizes[1:] != shape[1:]:
            return ""
        before = self._shape(source.input[0])
        return source.input[0] if before == (sizes[0],) + (1,) * (len(sizes) - 1) else ""

    def _alike(self, kind: str, data: str, updates: str) -> Array | None:
        """What comes of a row, where all are the same: then it does not matter which is last."""
        before, update = self._single(data), self._single(updates)
        if kind == "add" or before is None or update is None:
            return None
        return np.asarray(
            np.maximum(before, update) if kind == "max" else np.minimum(before, update)
        )

    def _single(self, name: str) -> Array | None:
        """The value that a tensor has everywhere; None where there are several."""
        value, source = self._values.get(name), self._sources.get(name)
        if value is None and source is not None and source.op_type == "ConstantOfShape":
            given = [numpy_helper.to_array(a.t) for a in source.attribute if a.name == "value"]
            value = given[0] if given else np.zeros(1, np.float32)
        if value is None or not value.size:
            return None
        first = value.reshape(-1)[0:1]
        return first if bool((value == first).all()) else None

    # What is written.

    def _do(self, op: str, *inputs: str | Array, output: str = "", **attributes: Any) -> str:
        """Adds a node; the name of its output."""
        self._made += 1
        name = f"scatter_{self._made}_{op}"
        names = [self._constant(one) if not isinstance(one, str) else one for one in inputs]
        node = helper.make_node(op, names, [output or name], name=name, **attributes)
        self._nodes.append(node)
        return output or name

    def _constant(self, value: Array) -> str:
        known = (str(value.dtype), value.shape, value.tobytes())
        if known not in self._constants:
            self._constants[known] = f"scatter_constant_{len(self._constants)}"
            tensor = numpy_helper.from_array(value, self._constants[known])
            self.model.graph.initializer.append(tensor)
        return self._constants[known]

    def _write(self, scatter: _Scatter, output: str) -> None:
        targets = self._values.get(scatter.targets)
        if scatter.written is not None:
            self._overwrite(scatter, scatter.written, output)
        elif targets is not None:
            self._tree(scatter, targets.reshape(-1) % scatter.count, output)
        else:
            self._scan(scatter, output)

    def _overwrite(self, scatter: _Scatter, written: str | Array, output: str) -> None:
        if not isinstance(written, str):
            sizes = _int64(scatter.rows, *scatter.shape[1:])
            written = self._do("Expand", written.reshape(1), sizes)
        places = self._do("Reshape", scatter.targets, _int64(-1, 1))
        self._do("ScatterND", scatter.data, places, written, output=output)

    def _tree(self, scatter: _Scatter, targets: Array, output: str) -> None:
        """Of constant targets: at each step up to so many rows of one target become one."""
        rows = np.argsort(targets, kind="stable")
        owners = targets[rows]
        values = scatter.updates
        while True:
            starts = np.flatnonzero(np.diff(owners, prepend=-1))
            within = np.arange(len(owners)) - np.repeat(starts, np.diff(starts, append=len(owners)))
            first = np.flatnonzero(within % _BRANCHES == 0)
            places = first[:, None] + np.arange(_BRANCHES)
            beyond = places >= np.append(first[1:], len(owners))[:, None]
            # A row twice changes no maximum.
            table = rows[np.where(beyond, first[:, None], places)]
            if scatter.kind == "add":
                table = np.where(beyond, len(owners), table)
                nothing = np.zeros((1, *scatter.shape[1:]), scatter.dtype)
                values = self._do("Concat", values, nothing, axis=0)
            taken = self._do("Gather", values, table, axis=0)
            values = self._do(_REDUCE[scatter.kind], taken, _int64(1), keepdims=0)
            owners = owners[first]
            rows = np.arange(len(owners))
            if (np.diff(owners) > 0).all():
                break
        before = self._do("Gather", scatter.data, owners, axis=0)
        both = self._do(_COMBINE[scatter.kind], before, values)
        self._do("ScatterND", scatter.data, owners[:, None], both, output=output)

    def _scan(self, scatter: _Scatter, output: str) -> None:
        """Of any targets: each row is combined with those before it that have the same target, the
        last of them all is written."""
        order, targets = self._order(scatter)
        values = self._do("Gather", scatter.updates, order, axis=0)
        columns = _int64(-1, *(1 for _ in scatter.shape[1:]))
        reach = 1
        while reach < scatter.rows:
            # Not by Gather, for which TensorRT-RTX 1.7 makes kernels that double at each step.
            upto = _int64(0), _int64(scatter.rows - reach), _int64(0)
            none = self._do("Expand", _int64(-1), _int64(reach))
            earlier = self._do("Concat", none, self._do("Slice", targets, *upto), axis=0)
            same = self._do("Equal", targets, earlier)
            same = self._do("Reshape", same, columns)
            first = self._do("Slice", values, _int64(0), _int64(reach), _int64(0))
            before = self._do("Concat", first, self._do("Slice", values, *upto), axis=0)
            both = self._do(_COMBINE[scatter.kind], values, before)
            values = self._do("Where", same, both, values)
            reach *= 2
        later = self._do("Slice", targets, _int64(1), _int64(scatter.rows), _int64(0))
        later = self._do("Concat", later, _int64(-1), axis=0)
        goes_on = self._do("Equal", targets, later)
        # One target more, for rows that are part of another.
        places = self._do("Where", goes_on, _int64(scatter.count), targets)
        before = self._do("Gather", scatter.data, targets, axis=0)
        both = self._do(_COMBINE[scatter.kind], before, values)
        further = np.zeros((1, *scatter.shape[1:]), scatter.dtype)
        data = self._do("Concat", scatter.data, further, axis=0)
        places = self._do("Reshape", places, _int64(-1, 1))
        written = self._do("ScatterND", data, places, both)
        self._do("Slice", written, _int64(0), _int64(scatter.count), _int64(0), output=output)

    def _order(self, scatter: _Scatter) -> tuple[str, str]:
        """The rows in the order of their targets, and those targets; rows of one stay in order."""
        targets = self._do("Reshape", scatter.targets, _int64(-1))
        below = self._do("Less", targets, _int64(0))
        from_end = self._do("Add", targets, _int64(scatter.count))
        targets = self._do("Where", below, from_end, targets)
        order = self._constant(np.arange(scatter.rows))
        digits = np.arange(_DIGIT)[:, None]
        unit = 1
        while unit < scatter.count:
            high = self._do("Div", targets, _int64(unit))
            rest = self._do("Mul", self._do("Div", high, _int64(_DIGIT)), _int64(_DIGIT))
            digit = self._do("Sub", high, rest)
            mine = self._do("Equal", self._do("Reshape", digit, _int64(1, -1)), digits)
            ones = self._do("Cast", mine, to=onnx.TensorProto.INT64)
            # [digits, rows]: how many rows of the digit come up to a row, and before all of them.
            up_to = self._running_sum(ones, _DIGIT, scatter.rows)
            totals = self._do("ReduceSum", ones, _int64(1), keepdims=1)
            before = self._do("CumSum", totals, np.array(0), exclusive=1)
            place = self._do("Mul", self._do("Add", up_to, before), ones)
            place = self._do("ReduceSum", place, _int64(0), keepdims=0)
            place = self._do("Reshape", self._do("Sub", place, _int64(1)), _int64(-1, 1))
            targets = self._do("ScatterND", targets, place, targets)
            order = self._do("ScatterND", order, place, order)
            unit *= _DIGIT
        return order, targets

    def _running_sum(self, values: str, lines: int, count: int, output: str = "") -> str:
        """Of each line, [lines, count], block by block and then over the blocks: TensorRT makes a
        sum over n values a product with an n x n matrix, or else a loop of n steps."""
        block = max(1, round(count**0.5))
        blocks = -(-count // block)
        beyond = np.zeros((lines, blocks * block - count), np.int64)
        padded = self._do("Concat", values, beyond, axis=1)
        apart = self._do("Reshape", padded, _int64(lines, blocks, block))
        within = self._do("CumSum", apart, np.array(2))
        totals = self._do("ReduceSum", apart, _int64(2), keepdims=1)
        before = self._do("CumSum", totals, np.array(1), exclusive=1)
        joined = self._do("Reshape", self._do("Add", within, before), _int64(lines, -1))
        ends = _int64(0), _int64(count), _int64(1)
        return self._do("Slice", joined, *ends, output=output)


def _int64(*values: int) -> Array:
    return np.array(values, np.int64)
