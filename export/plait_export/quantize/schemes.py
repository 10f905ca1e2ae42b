"""The ways to store a graph in fewer bits. Each takes a graph and layers to leave in float."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.quantization.onnx_quantizer import ONNXQuantizer
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import QuantizationMode, QuantType
from onnxruntime.transformers.float16 import convert_float_to_float16

from plait_export.candidate import Target
from plait_export.graphs import drop_unused_domains
from plait_export.quantize.graph import Quantizable

# Cheap between quantized layers, so that values stay in 8 bits from one layer to the next.
_PASSING_OPS = ("Relu", "MaxPool")


class Scheme(Protocol):
    """One way to make a smaller graph.

    precision: the number format it is for. name: what it is called in reports. target: what its
    graphs are made for. fragile: whether ONNX Runtime has crashed on graphs of its kind.
    """

    @property
    def precision(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def target(self) -> Target: ...

    @property
    def fragile(self) -> bool: ...

    def layers(self, graph: Quantizable) -> dict[str, str]:
        """What can be left in float one by one: node name to operator, in order."""
        ...

    def apply(self, graph: Quantizable, kept: frozenset[str]) -> bytes:
        """The graph, changed but for the layers in `kept`; as traced where nothing is changed."""
        ...

    def forced(self, graph: Quantizable) -> dict[str, str]:
        """Nodes that `apply` leaves in float whatever is kept: node name to the reason."""
        ...

    def judged(self, model: bytes) -> bytes:
        """What ONNX Runtime is given for what `apply` made, to answer as the target would."""
        ...


class _AsItIs:
    """Of schemes that force nothing, and whose graphs ONNX Runtime runs as any target would."""

    def forced(self, graph: Quantizable) -> dict[str, str]:
        return {}

    def judged(self, model: bytes) -> bytes:
        return model


@dataclass(frozen=True)
class StaticInt8(_AsItIs):
    """Explicit QuantizeLinear/DequantizeLinear with ranges measured on real samples."""

    name: str
    activation: QuantType
    weight: QuantType
    per_channel: bool
    operators: tuple[str, ...] = ("Conv", "Gemm", "MatMul")
    roles: tuple[str, ...] = ("encoder", "head")
    precision: str = "int8"
    fragile: bool = False
    target: Target = "onnxruntime"

    def layers(self, graph: Quantizable) -> dict[str, str]:
        if graph.graph.role not in self.roles:
            return {}
        finite = _layers_with_ranges(graph)
        return {name: op for name, op in finite.items() if op in self.operators}

    def apply(self, graph: Quantizable, kept: frozenset[str]) -> bytes:
        chosen = [name for name in self.layers(graph) if name not in kept]
        if not chosen:
            return graph.graph.onnx
        passing = [n.name for n in graph.folded.graph.node if n.op_type in _PASSING_OPS]
        ranges = {
            name: (np.float32(low), np.float32(high)) for name, (low, high) in graph.ranges.items()
        }
        quantizer = QDQQuantizer(
            _copy(graph.folded),
            self.per_channel,
            self.reduced_range(),
            self.weight,
            self.activation,
            TensorsData(CalibrationMethod.MinMax, ranges),
            [*chosen, *passing],
            [],
            [*self.operators, *_PASSING_OPS],
            self.options(),
        )
        quantizer.quantize_model()
        return finished(quantizer.model.model)

    def reduced_range(self) -> bool:
        """Whether weights have 7 bits: x86 without VNNI adds pairs of u8 x s8 products in 16 bits,
        and would saturate, and answer otherwise than the device next to it."""
        return bool(self.weight == QuantType.QInt8)

    def options(self) -> dict[str, bool]:
        """ONNX Runtime's extra options."""
        return {
            "ActivationSymmetric": self.activation == QuantType.QInt8,
            "WeightSymmetric": self.weight == QuantType.QInt8,
        }


@dataclass(frozen=True)
class DynamicInt8(_AsItIs):
    """8-bit weights; activations are quantized at run time, by the range of each input."""

    name: str
    weight: QuantType
    precision: str = "int8"
    fragile: bool = False
    target: Target = "onnxruntime"

    def layers(self, graph: Quantizable) -> dict[str, str]:
        # A dynamic convolution exists, but is slower than a float one everywhere.
        finite = _layers_with_ranges(graph)
        return {name: op for name, op in finite.items() if op in ("Gemm", "MatMul")}

    def apply(self, graph: Quantizable, kept: frozenset[str]) -> bytes:
        chosen = [name for name in self.layers(graph) if name not in kept]
        if not chosen:
            return graph.graph.onnx
        quantizer = ONNXQuantizer(
            _copy(graph.folded),
            False,
            False,
            QuantizationMode.IntegerOps,
            False,
            self.weight,
            QuantType.QUInt8,
            None,
            # A Gemm is taken apart first, into a MatMul named after it and an Add.
            [*chosen, *(f"{name}_MatMul" for name in chosen)],
            [],
            ["MatMul"],
            {"MatMulConstBOnly": True},
        )
        quantizer.quantize_model()
        return finished(quantizer.model.model)


@dataclass(frozen=True)
class Float16(_AsItIs):
    """Half precision inside, float32 at inputs and outputs: for backends that compute in it."""

    name: str = "float16"
    precision: str = "fp16"
    fragile: bool = True
    target: Target = "onnxruntime"

    def layers(self, graph: Quantizable) -> dict[str, str]:
        # All or nothing: ONNX Runtime 1.32 dies on the casts that mixed graphs are full of.
        return {}

    def apply(self, graph: Quantizable, kept: frozenset[str]) -> bytes:
        half = convert_float_to_float16(
            _without_shared_constants(graph.folded),
            keep_io_types=True,
            node_block_list=sorted(_users_of_equal_scalars(graph.folded)),
        )
        return finished(half)


_U8, _S8 = QuantType.QUInt8, QuantType.QInt8

# Ties in speed go to the earlier one. A small head is often faster, and better, in float.
SCHEMES: tuple[Scheme, ...] = (
    Float16(),
    StaticInt8("qdq-u8u8", _U8, _U8, per_channel=False),
    StaticInt8("qdq-u8u8-encoders", _U8, _U8, per_channel=False, roles=("encoder",)),
    StaticInt8("qdq-u8s7-per-channel", _U8, _S8, per_channel=True),
    StaticInt8("qdq-u8s7-per-channel-encoders", _U8, _S8, per_channel=True, roles=("encoder",)),
    StaticInt8("qdq-s8s7-per-channel", _S8, _S8, per_channel=True),
    StaticInt8("qdq-u8u8-matmul", _U8, _U8, per_channel=False, operators=("Gemm", "MatMul")),
    DynamicInt8("dynamic-u8u8-matmul", _U8),
)


def _layers_with_ranges(graph: Quantizable) -> dict[str, str]:
    touched = {node.name: (node.input[0], node.output[0]) for node in graph.folded.graph.node}
    return {
        name: op
        for name, op in graph.layers.items()
        if all(tensor in graph.ranges for tensor in touched[name])
    }


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _without_shared_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which each node has constants of its own.

    ONNX Runtime 1.32 turns half-precision constants back to float32 for CPU kernels, one node at a
    time, and loses (then dereferences) those that two nodes share.
    """
    copied = _copy(model)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    taken: set[str] = set()
    for node in copied.graph.node:
        for index, name in enumerate(node.input):
            if name not in constants or name not in taken:
                taken.add(name)
                continue
            own = onnx.TensorProto()
            own.CopyFrom(constants[name])
            own.name = f"{name}_of_{node.name}_{index}"
            copied.graph.initializer.append(own)
            node.input[index] = own.name
    return copied


def _users_of_equal_scalars(model: onnx.ModelProto) -> frozenset[str]:
    """Nodes with a single-valued constant that another has too: ONNX Runtime shares those again."""
    scalars = {
        tensor.name: numpy_helper.to_array(tensor).item()
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and math.prod(tensor.dims) == 1
    }
    users: dict[float, set[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            if name in scalars:
                users.setdefault(scalars[name], set()).add(node.name)
    return frozenset(name for names in users.values() if len(names) > 1 for name in names)


def finished(model: onnx.ModelProto) -> bytes:
    """The bytes of a changed model, in an order that runs."""
    ONNXModel(model).topological_sort()
    return as_ordered(model)


def as_ordered(model: onnx.ModelProto) -> bytes:
    """The same of a model whose nodes are in such an order already."""
    drop_unused_domains(model)
    del model.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))
