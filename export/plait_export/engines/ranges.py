"""Which nodes of a graph can't be in float16, and why: by what they are, and by real values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from plait import ops
from plait_export.engines.half import inner_graphs
from plait_export.quantize.graph import Quantizable

LARGEST = float(np.finfo(np.float16).max)
SMALLEST_NORMAL = float(np.finfo(np.float16).smallest_normal)

# Calibration samples are few: values on the device may be larger than any of theirs.
_MARGIN = 2.0

# The largest magnitude in signed 8 bits, in units of the scale.
_LEVELS = 128.0

_SUMS = frozenset(
    ("LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization",
     "LpNormalization", "BatchNormalization", "Softmax", "LogSoftmax", "ReduceSum", "ReduceMean",
     "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceProd", "ReduceLogSum", "ReduceLogSumExp",
     "CumSum", "Exp", "Log")
)  # fmt: skip
# What a normalization that was written out is made of, up to the division that ends it.
_OF_NORMALIZATION = frozenset(("Sub", "Pow", "Mul", "Add", "Sqrt", "Div", "Reciprocal", "Abs"))
# Of which ONNX, or many a runtime, has no float16 version.
_WITHOUT_HALF = frozenset(
    ("Constant", "EyeLike", "NonMaxSuppression", "RandomNormalLike", "RandomUniformLike", "Range",
     "RoiAlign", "TopK", "Upsample")
)  # fmt: skip
_ENDS_NORMALIZATION = frozenset(("Div", "Reciprocal"))


def must_stay_float(graph: Quantizable) -> dict[str, str]:
    """Nodes that have to stay in float32, by name, each with the reason, in the graph's order."""
    model = graph.folded
    reasons: dict[str, str] = {}
    written_out = _normalizations(model)
    troubles = _troubles(graph)
    # TensorRT-RTX 1.7 builds no loop that reads a cast of a slice in float16.
    loops = frozenset(x for node in model.graph.node if inner_graphs(node) for x in node.input)
    for node in model.graph.node:
        reason = (
            _by_kind(node, written_out)
            or _by_value(node, troubles)
            or ("a slice that a loop reads" if _is_slice_for(node, loops) else None)
        )
        if reason is not None:
            reasons[node.name] = reason
    return reasons


def wide_pairs(model: onnx.ModelProto) -> frozenset[str]:
    """Of a graph in 8 bits the nodes that quantize, or give back, what float16 can't hold: the
    values, or the scale."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    wide: set[str] = set()
    quantized: set[str] = set()  # tensors in 8 bits whose float values float16 can't hold
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        scale = numpy_helper.to_array(constants[node.input[1]])
        lost = bool((scale.astype(np.float16) == 0).any())
        if node.op_type == "QuantizeLinear":
            # Values are divided by it: a scale without its digits would spoil all of them.
            lost = lost or float(scale.min()) < SMALLEST_NORMAL
            lost = lost or _trouble(_LEVELS * float(scale.max())) is not None
            if lost:
                quantized.update(node.output)
        if lost or node.input[0] in quantized:
            wide.add(node.name)
    return frozenset(wide)


def _by_kind(node: onnx.NodeProto, written_out: frozenset[str]) -> str | None:
    if node.domain == ops.DOMAIN:
        return "an operator of Plait's, which is given float32"
    if inner_graphs(node):
        return "a loop or a branch, whose values are not watched"
    if node.op_type in _SUMS:
        return "sums, or exponentials, of many terms"
    if node.name in written_out:
        return "part of a normalization"
    if node.op_type in _WITHOUT_HALF:
        return "not to be had in float16 everywhere"
    return None


def _is_slice_for(node: onnx.NodeProto, read: frozenset[str]) -> bool:
    return node.op_type == "Slice" and bool(read.intersection(node.output))


def _by_value(node: onnx.NodeProto, troubles: Mapping[str, str]) -> str | None:
    """A tensor that float16 can't hold: neither who writes it nor who reads it may be in it."""
    for name in node.output:
        if name in troubles:
            return troubles[name]
    for name in node.input:
        if name in troubles:
            return f"reads {troubles[name]}"
    return None


def _troubles(graph: Quantizable) -> dict[str, str]:
    """Float tensors that float16 can't hold, with what is the matter."""
    troubles = {}
    for name, (low, high) in graph.ranges.items():
        trouble = _trouble(max(-low, high))
        if trouble is not None:
            troubles[name] = trouble
    for name in _floats(graph.folded):
        if name not in graph.ranges:
            troubles[name] = "values that are not finite on real samples"
    for tensor in graph.folded.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            values = np.abs(numpy_helper.to_array(tensor))
            trouble = _trouble(float(np.max(values, initial=0.0)), margin=1.0)
            if trouble is not None:
                troubles[tensor.name] = f"{trouble} (a constant)"
    return troubles


def _trouble(magnitude: float, margin: float = _MARGIN) -> str | None:
    if magnitude * margin > LARGEST:
        return f"values up to {magnitude:.3g}, where float16 ends at {LARGEST:g}"
    if 0.0 < magnitude < SMALLEST_NORMAL:
        return f"values up to {magnitude:.3g}, where float16 loses digits"
    return None


def _floats(model: onnx.ModelProto) -> Iterator[str]:
    """Computed tensors that are known to be float32."""
    computed = {
        name for node in model.graph.node if node.op_type != "Constant" for name in node.output
    }
    for info in (*model.graph.value_info, *model.graph.output):
        if info.name in computed and info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            yield info.name


def _normalizations(model: onnx.ModelProto) -> frozenset[str]:
    """Element-wise nodes between a mean and the division that it ends in, as in a layer norm that
    was written out: its squares are what overflows."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found: set[str] = set()
    waiting = [n for n in model.graph.node if n.op_type == "ReduceMean"]
    while waiting:
        for name in waiting.pop().output:
            for node in readers.get(name, ()):
                if node.op_type in _OF_NORMALIZATION and node.name not in found:
                    found.add(node.name)
                    if node.op_type not in _ENDS_NORMALIZATION:
                        waiting.append(node)
    return frozenset(found)
