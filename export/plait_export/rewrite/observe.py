"""What a graph does on real inputs: the shapes of its values, and the values that matter here.

Exporters write one and the same reshape in many ways, often with sizes that the graph computes
itself. A pass that sees what came out does not have to understand how.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx

from plait_export.graphs import Runner
from plait_export.rewrite.graph import Array, GraphIndex
from plait_export.rewrite.views import SCATTERS, VIEWS

_SEEN = {*VIEWS, *SCATTERS, "Add", "Cast", "Concat", "Div", "GridSample", "Mul", "ReduceSum", "Sub"}
_SUFFIX = "__plait_shape"


@dataclass(frozen=True)
class Observation:
    """One run. shapes: of values that passes look at. values: of sizes and indices among them, by
    name. outputs: of the graph."""

    shapes: Mapping[str, tuple[int, ...]]
    values: Mapping[str, Array]
    outputs: Mapping[str, Array]


def observe(index: GraphIndex, inputs: Mapping[str, Array]) -> Observation:
    """Runs the graph once."""
    seen = [node for node in index.model.graph.node if node.op_type in _SEEN]
    shaped = list(dict.fromkeys(name for node in seen for name in (*node.input, *node.output)))
    shaped = [name for name in shaped if name]
    wanted = list(dict.fromkeys(name for node in seen for name in _parameters(index, node)))
    found = run_with(index.model, inputs, wanted, [f"{name}{_SUFFIX}" for name in shaped], shaped)
    outputs = {value.name: found[value.name] for value in index.model.graph.output}
    shapes = {name: tuple(int(n) for n in found[f"{name}{_SUFFIX}"]) for name in shaped}
    return Observation(shapes, {name: found[name] for name in wanted}, outputs)


def run_with(
    model: onnx.ModelProto,
    inputs: Mapping[str, Array],
    values: list[str],
    shape_names: list[str] | None = None,
    shaped: list[str] | None = None,
) -> dict[str, Array]:
    """A graph's outputs by name, with some values inside, and the shapes of others."""
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    graph = seen.graph
    for name, shape in zip(shaped or [], shape_names or [], strict=True):
        graph.node.append(onnx.helper.make_node("Shape", [name], [shape]))
    known = {value.name for value in graph.output}
    extra = [name for name in (*values, *(shape_names or [])) if name not in known]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in extra)
    names = [value.name for value in graph.output]
    return dict(zip(names, Runner(seen.SerializeToString())(inputs), strict=True))


def _parameters(index: GraphIndex, node: onnx.NodeProto) -> Iterator[str]:
    """Values that say how a view is taken, or where a scatter writes; constant ones are known."""
    position = {"Slice": 1, "Gather": 1, "ScatterElements": 1, "ScatterND": 1}.get(node.op_type)
    if position is None:
        return
    last = position + 1 if node.op_type != "Slice" else len(node.input)
    for name in node.input[position:last]:
        if name and index.constant(name) is None and _is_index(index, name):
            yield name


def _is_index(index: GraphIndex, name: str) -> bool:
    return index.element_type(name) in (None, "int32", "int64")
