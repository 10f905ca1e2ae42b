"""Makes constants of the sizes that a graph computes itself though its inputs have one size only.

torch's older exporter asks nearly every value for its shape. Each such question is a use of the
value, and keeps alive what a fused node is to replace.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import numpy_helper

from plait_export.rewrite.graph import Array, GraphIndex, captured_names, is_random, prune
from plait_export.rewrite.observe import run_with

# Of these the first input gives data, the others (where there are any) say what shape comes out.
_SHAPED_BY_VALUES = {
    "CenterCropPad",
    "Expand",
    "OneHot",
    "Pad",
    "Reshape",
    "Resize",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "TopK",
    "Unsqueeze",
    "Upsample",
}
_REDUCTIONS = "Reduce"
# Of these the shape is fixed where all they are given is known.
_SHAPED_BY_ALL = {
    "Compress",
    "ConstantOfShape",
    "If",
    "Loop",
    "NonMaxSuppression",
    "NonZero",
    "Range",
    "Scan",
    "Unique",
}


def fold_sizes(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> onnx.ModelProto:
    """The same graph with constants for shapes that no input can change; itself without any."""
    index = GraphIndex(model)
    fixed = _fixed_questions(index) if index.is_static() else []
    if not fixed:
        return model
    found = run_with(model, inputs, fixed)
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    kept = [node for node in folded.graph.node if not set(fixed).intersection(node.output)]
    del folded.graph.node[:]
    folded.graph.node.extend(kept)
    folded.graph.initializer.extend(numpy_helper.from_array(found[name], name) for name in fixed)
    prune(folded)
    return folded


def _fixed_questions(index: GraphIndex) -> list[str]:
    """Outputs of Shape and Size nodes that are the same for every input of the graph's sizes."""
    graph = index.model.graph
    known = {tensor.name for tensor in graph.initializer} - index.varying
    fixed = known | {value.name for value in graph.input}
    questions = []
    for node in graph.node:
        given = {name for name in node.input if name}
        if node.op_type in ("Shape", "Size"):
            if given <= fixed:
                known.update(node.output)
                questions.append(node.output[0])
        elif given <= known and not is_random(node) and not set(captured_names(node)):
            known.update(node.output)
        if known.issuperset(node.output) or _keeps_sizes(node, known, fixed):
            fixed.update(node.output)
    return questions


def _keeps_sizes(node: onnx.NodeProto, known: set[str], fixed: set[str]) -> bool:
    """Whether a node's outputs have one size, given which values are known and which have one."""
    given = [name for name in node.input if name]
    if node.op_type in _SHAPED_BY_ALL or "Sequence" in node.op_type or node.domain:
        return False
    if node.op_type in _SHAPED_BY_VALUES or node.op_type.startswith(_REDUCTIONS):
        return node.input[0] in fixed and known.issuperset(given[1:])
    return fixed.issuperset(given)
