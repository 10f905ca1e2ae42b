"""An ONNX graph that can be looked up: who makes a value, who uses it, what is constant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, shape_inference

from plait import ops

Array = NDArray[Any]


class GraphIndex:
    """producers, consumers: by value name, of the outermost graph. pinned: values that are outputs
    or that branches and loops inside of nodes use, so that they have to stay. varying: values that
    depend on the graph's inputs."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        graph = model.graph
        self.producers = {name: node for node in graph.node for name in node.output if name}
        self.consumers: dict[str, list[onnx.NodeProto]] = {}
        self.pinned = {value.name for value in graph.output}
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._arrays: dict[str, Array] = {}
        self.varying = {v.name for v in graph.input if v.name not in self._initializers}
        for node in graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
            captured = set(captured_names(node))
            self.pinned |= captured
            if self.varying.intersection((*node.input, *captured)) or is_random(node):
                self.varying.update(name for name in node.output if name)
        self._types = element_types(model)

    def producer(self, value: str) -> onnx.NodeProto | None:
        return self.producers.get(value)

    def only_consumer(self, value: str) -> onnx.NodeProto | None:
        """None where nobody, or more than one, or something outside uses it."""
        users = self.consumers.get(value, [])
        return users[0] if len(users) == 1 and value not in self.pinned else None

    def constant(self, value: str) -> Array | None:
        """The array of an initializer or a Constant node."""
        if value not in self._arrays:
            tensor = self._initializers.get(value)
            node = self.producers.get(value)
            if tensor is None and node is not None and node.op_type == "Constant":
                return self._constant_node(value, node)
            if tensor is None or value in self.varying:
                return None
            self._arrays[value] = numpy_helper.to_array(tensor)
        return self._arrays[value]

    def element_type(self, value: str) -> str | None:
        """NumPy's name of a value's element type, where it is known."""
        return self._types.get(value)

    def is_static(self) -> bool:
        """Whether every input has one size only."""
        return all(
            dim.HasField("dim_value")
            for value in self.model.graph.input
            if value.name in self.varying
            for dim in value.type.tensor_type.shape.dim
        )

    def _constant_node(self, value: str, node: onnx.NodeProto) -> Array | None:
        (attribute,) = node.attribute
        said = onnx.helper.get_attribute_value(attribute)
        if isinstance(said, onnx.SparseTensorProto):
            return None
        is_tensor = isinstance(said, onnx.TensorProto)
        self._arrays[value] = numpy_helper.to_array(said) if is_tensor else np.array(said)
        return self._arrays[value]


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """An attribute's value; text as str."""
    for said in node.attribute:
        if said.name == name:
            value = onnx.helper.get_attribute_value(said)
            return value.decode() if isinstance(value, bytes) else value
    return default


def captured_names(node: onnx.NodeProto) -> Iterator[str]:
    """Names that the graphs inside of a node use: they may be values of the graph around it."""
    for said in node.attribute:
        for inner in (said.g, *said.graphs):
            for output in inner.output:
                yield output.name
            for child in inner.node:
                yield from child.input
                yield from captured_names(child)


def is_random(node: onnx.NodeProto) -> bool:
    """Whether it answers differently each time."""
    return node.op_type.startswith("Random") or node.op_type in ("Bernoulli", "Multinomial")


def prune(model: onnx.ModelProto) -> None:
    """Removes nodes, initializers and notes of values that no output needs any more."""
    graph = model.graph
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            needed.update(captured_names(node))
            kept.append(node)
    made = {name for node in kept for name in node.output}
    for listed, wanted in (
        (graph.initializer, [t for t in graph.initializer if t.name in needed]),
        (graph.value_info, [v for v in graph.value_info if v.name in made]),
        (graph.node, list(reversed(kept))),
    ):
        copied = [type(item).FromString(item.SerializeToString()) for item in wanted]
        del listed[:]
        listed.extend(copied)


def import_operators(model: onnx.ModelProto) -> None:
    """Declares Plait's operators."""
    if all(opset.domain != ops.DOMAIN for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(ops.DOMAIN, 1))


def inline_branches(model: onnx.ModelProto) -> None:
    """Puts the nodes of the taken branch in place of every If whose condition is constant, as
    torch's older exporter leaves around scatter_reduce."""
    while True:
        index = GraphIndex(model)
        known = {
            place: index.constant(node.input[0])
            for place, node in enumerate(model.graph.node)
            if node.op_type == "If"
        }
        place, taken = next(((p, c) for p, c in known.items() if c is not None), (0, None))
        if taken is None:
            return
        node = model.graph.node[place]
        branch = attribute(node, "then_branch" if taken.item() else "else_branch")
        names = {value.name: name for value, name in zip(branch.output, node.output, strict=True)}
        nodes = [onnx.NodeProto.FromString(inner.SerializeToString()) for inner in branch.node]
        nodes += [onnx.helper.make_node("Identity", [made], [name]) for made, name in names.items()]
        model.graph.initializer.extend(branch.initializer)
        others = list(model.graph.node)
        copied = [onnx.NodeProto.FromString(other.SerializeToString()) for other in others]
        del model.graph.node[:]
        model.graph.node.extend([*copied[:place], *nodes, *copied[place + 1 :]])


def narrow_grids(model: onnx.ModelProto) -> list[str]:
    """Casts sampling grids to their maps' type, and returns the nodes this was done for.

    torch's older exporter computes reference points in float64, for which ONNX Runtime has no
    GridSample: such a graph runs nowhere as it is.
    """
    types = element_types(model)
    names = []
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type != "GridSample":
            continue
        wanted, given = (types.get(name) for name in node.input)
        if wanted is None or given is None or wanted == given:
            continue
        code = int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(wanted)))
        narrow = f"{node.output[0]}_plait_grid"
        model.graph.node.insert(
            place, onnx.helper.make_node("Cast", [node.input[1]], [narrow], narrow, to=code)
        )
        model.graph.node[place + 1].input[1] = narrow
        names.append(node.name or node.output[0])
    return names[::-1]


def element_types(model: onnx.ModelProto) -> dict[str, str]:
    """NumPy's names of element types, by value."""
    graph = shape_inference.infer_shapes(model).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    return {
        name: onnx.helper.tensor_dtype_to_np_dtype(code).name
        for name, code in types.items()
        if code
    }
