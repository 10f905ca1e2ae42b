"""Every way in which an operator runs here, behind one signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from plait import ops
from plait_export import ops as torch_ops
from tests.ops import cuda
from tests.ops.cases import Array, Call, OperatorCase

Run = Callable[[OperatorCase, tuple[Array, ...], Mapping[str, Any]], tuple[Array, ...]]

_ONNX_TYPES = {
    "float32": onnx.TensorProto.FLOAT,
    "float16": onnx.TensorProto.FLOAT16,
    "int32": onnx.TensorProto.INT32,
}


def _core(implementation: str, threads: int) -> Run:
    def run(
        case: OperatorCase, inputs: tuple[Array, ...], attributes: Mapping[str, Any]
    ) -> tuple[Array, ...]:
        return ops.run(
            case.name, inputs, attributes, threads=threads, implementation=implementation
        )

    return run


def graph_of(case: OperatorCase, inputs: tuple[Array, ...], attributes: Mapping[str, Any]) -> bytes:
    spec = next(spec for spec in ops.operators() if spec.name == case.name)
    types = {
        tensor.types: array.dtype.name for tensor, array in zip(spec.inputs, inputs, strict=True)
    }
    node = onnx.helper.make_node(
        case.name,
        [tensor.name for tensor in spec.inputs],
        [tensor.name for tensor in spec.outputs],
        domain=ops.DOMAIN,
        **attributes,
    )
    graph = onnx.helper.make_graph(
        [node],
        case.name,
        [
            onnx.helper.make_tensor_value_info(
                tensor.name, _ONNX_TYPES[array.dtype.name], [None] * array.ndim
            )
            for tensor, array in zip(spec.inputs, inputs, strict=True)
        ],
        [
            onnx.helper.make_tensor_value_info(
                tensor.name, _ONNX_TYPES[types.get(tensor.types, tensor.types[0])], None
            )
            for tensor in spec.outputs
        ],
    )
    model = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid(ops.DOMAIN, 1)],
        ir_version=9,
    )
    return model.SerializeToString()


@lru_cache(maxsize=64)
def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.register_custom_ops_library(ops.library())
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _onnxruntime(threads: int) -> Run:
    def run(
        case: OperatorCase, inputs: tuple[Array, ...], attributes: Mapping[str, Any]
    ) -> tuple[Array, ...]:
        running = session(graph_of(case, inputs, attributes), threads)
        names = [tensor.name for tensor in running.get_inputs()]
        return tuple(running.run(None, dict(zip(names, inputs, strict=True))))

    return run


def _cuda(
    case: OperatorCase, inputs: tuple[Array, ...], attributes: Mapping[str, Any]
) -> tuple[Array, ...]:
    return cuda.library().run(case.name, inputs, attributes)


IMPLEMENTATIONS: Mapping[str, Run] = {
    "scalar": _core("scalar", 1),
    "simd": _core("simd", 1),
    "simd on 3 threads": _core("simd", 3),
    "onnxruntime custom op": _onnxruntime(1),
    "onnxruntime custom op on 2 threads": _onnxruntime(2),
    cuda.label(): _cuda,
}


def reference(case: OperatorCase, call: Call) -> tuple[NDArray[np.float64], ...]:
    """The torch reference in float64."""
    operator = next(o for o in torch_ops.OPERATORS if o.name == case.name)
    tensors = [torch.from_numpy(array) for array in call.inputs]
    said = [call.attributes[attribute.name] for attribute in operator.spec.attributes]
    outputs = operator.reference(*tensors, *said)
    listed = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(output.numpy() for output in listed)


def rounded(call: Call, dtype: str) -> Call:
    """The same call with its floats rounded to a type: what the reference is to be given."""
    inputs = tuple(
        array.astype(np.float64) if array.dtype.kind == "f" else array
        for array in cast(call, dtype)
    )
    return Call(inputs, call.attributes, call.float32_only)


def cast(call: Call, dtype: str) -> tuple[Array, ...]:
    """The inputs, floats in a type."""

    def typed(index: int, array: Array) -> Array:
        if array.dtype.kind != "f":
            return array
        return array.astype("float32" if index in call.float32_only else dtype)

    return tuple(typed(index, array) for index, array in enumerate(call.inputs))
