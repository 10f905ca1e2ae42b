"""A graph in float16, with the nodes that have to stay in float32 and the casts between them.

ONNX Runtime's converter rounds the weights of nodes that stay as well, so this does it: a node's
weights are stored in what it computes in, and a tensor is cast once, where the type changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_HALF = TensorProto.FLOAT16
_FLOAT = TensorProto.FLOAT

# Inputs that ONNX has in float32 whatever the others are, by operator.
_FLOAT_INPUTS: Mapping[str, tuple[int, ...]] = {"Resize": (1, 2)}


def half(model: onnx.ModelProto, kept: Collection[str]) -> onnx.ModelProto:
    """Weights and activations in float16, inputs and outputs of the graph in float32.

    model: with inferred shapes and unique node names. kept: names of nodes that compute in float32;
    of nodes with graphs of their own (If, Loop, Scan) all do. Every change of type is a Cast in the
    graph.
    """
    return _Halving(model, frozenset(kept)).model


def inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs that a node holds (If, Loop, Scan), not those within them."""
    held = []
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            held.append(attribute.g)
        held += attribute.graphs
    return held


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element types by tensor, as far as they are known: not of operators that ONNX lacks."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    types = {tensor.name: tensor.data_type for tensor in inferred.initializer}
    for info in (*inferred.input, *inferred.value_info, *inferred.output):
        types[info.name] = info.type.tensor_type.elem_type
    return types


class _Halving:
    """One conversion. halves: tensors that are stored in float16 now, under their own names."""

    def __init__(self, model: onnx.ModelProto, kept: frozenset[str]) -> None:
        self._types = element_types(model)
        self._kept = kept | {node.name for node in model.graph.node if inner_graphs(node)}
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._halves: set[str] = set()
        self._made: set[str] = set()
        self._outputs = {output.name for output in model.graph.output}
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self._graph = self.model.graph
        del self._graph.node[:], self._graph.value_info[:]
        for node in model.graph.node:
            self._add(node)
        used = set(_read_by(self._graph.node)) | self._outputs
        every = list(self._graph.initializer)
        del self._graph.initializer[:]
        self._graph.initializer.extend(tensor for tensor in every if tensor.name in used)

    def _add(self, node: onnx.NodeProto) -> None:
        own = onnx.NodeProto()
        own.CopyFrom(node)
        in_half = node.name not in self._kept
        always_float = _FLOAT_INPUTS.get(node.op_type, ())
        for index, name in enumerate(node.input):
            if self._types.get(name) == _FLOAT:
                wanted = in_half and index not in always_float
                own.input[index] = self._as_half(name) if wanted else self._as_float(name)
        for inner in inner_graphs(own):
            self._read_floats(inner)
        if in_half:
            _halve_attributes(own)
            self._store_halves(own)
        else:
            self._graph.node.append(own)

    def _read_floats(self, inner: onnx.GraphProto) -> None:
        """Lets an inner graph read in float32 what it takes from around it; no name is used twice
        in ONNX, so that what is stored in float16 here is not its own."""
        for node in inner.node:
            for index, name in enumerate(node.input):
                node.input[index] = self._as_float(name)
            for further in inner_graphs(node):
                self._read_floats(further)

    def _store_halves(self, node: onnx.NodeProto) -> None:
        """Adds the node; what the graph gives out is cast back."""
        back = []
        for index, name in enumerate(node.output):
            if self._types.get(name) != _FLOAT:
                continue
            if name in self._outputs:
                node.output[index] = _half_name(name)
                self._made.add(_half_name(name))
                back.append(_cast(_half_name(name), name, _FLOAT))
            else:
                self._halves.add(name)
        self._graph.node.append(node)
        self._graph.node.extend(back)

    def _as_half(self, name: str) -> str:
        if name in self._halves:
            return name
        stored = _half_name(name)
        if stored not in self._made:
            self._made.add(stored)
            if name in self._constants:
                self._graph.initializer.append(_halved(self._constants[name], stored))
            else:
                self._graph.node.append(_cast(name, stored, _HALF))
        return stored

    def _as_float(self, name: str) -> str:
        if name not in self._halves:
            return name
        widened = f"{name}_in_float"
        if widened not in self._made:
            self._made.add(widened)
            self._graph.node.append(_cast(name, widened, _FLOAT))
        return widened


def _read_by(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    """Names that nodes read, and graphs within them."""
    for node in nodes:
        yield from node.input
        for inner in inner_graphs(node):
            yield from _read_by(inner.node)


def _halve_attributes(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == _FLOAT:
            attribute.i = _HALF
        if attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == _FLOAT:
            attribute.t.CopyFrom(_halved(attribute.t, attribute.t.name))


def _halved(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), name)


def _half_name(name: str) -> str:
    return f"{name}_in_half"


def _cast(source: str, target: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"{target}_cast", to=to)
