"""What a graph in float16 answers, computed in float32: each value rounded where it is stored.

ONNX Runtime has few float16 kernels for CPUs. It casts to float32 around the others and then leaves
out the casts between two of them, so that a value which overflows float16 on a device does not
here. In the twin every float16 value is rounded by an explicit pair of casts, which stays. That is
what PyTorch computes in float16 on a CPU too; a device may keep more digits inside a fused kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from plait_export.engines.half import element_types

_HALF = TensorProto.FLOAT16
_WIDE = TensorProto.FLOAT


def rounded_twin(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with every float16 tensor in float32, rounded to float16's values.

    model: with inputs and outputs in float32, and graphs within nodes too, as `half` makes them.
    """
    types = element_types(model)
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    graph = twin.graph
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(_widened(tensor) for tensor in model.graph.initializer)
    for node in model.graph.node:
        graph.node.extend(_twin_nodes(node, types))
    return twin


def _twin_nodes(node: onnx.NodeProto, types: dict[str, int]) -> Iterator[onnx.NodeProto]:
    if node.op_type == "Cast" and types.get(node.output[0]) == _HALF:
        yield from _rounding(node.input[0], node.output[0])
        return
    own = onnx.NodeProto()
    own.CopyFrom(node)
    for attribute in own.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            attribute.t.CopyFrom(_widened(attribute.t))
    halves = [index for index, name in enumerate(node.output) if types.get(name) == _HALF]
    for index in halves:
        own.output[index] = f"{node.output[index]}_unrounded"
    yield own
    for index in halves:
        yield from _rounding(own.output[index], node.output[index])


def _rounding(source: str, target: str) -> Iterator[onnx.NodeProto]:
    stored = f"{target}_stored"
    yield helper.make_node("Cast", [source], [stored], name=f"{target}_rounds", to=_HALF)
    yield helper.make_node("Cast", [stored], [target], name=f"{target}_widens", to=_WIDE)


def _widened(tensor: onnx.TensorProto) -> onnx.TensorProto:
    if tensor.data_type != _HALF:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
