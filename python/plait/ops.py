"""The fused operators on NumPy and DLPack arrays: the kernels that run inside of graphs.

>>> from plait import ops
>>> y = ops.gated_fusion(gate, x, scale, shift, epsilon=1e-5)

There is a function for each operator (`ops.operators()` lists them), named in snake_case, with its
inputs in order and its attributes by keyword. Element types and shapes are those of the operator's
schema (`help(ops.gated_fusion)`); whatever does not fit raises SampleError. Every function also
takes `threads` (None: every usable CPU) and `implementation` ("simd", or "scalar": the
specification).
ONNX Runtime sessions of any program run the same kernels through `library()`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plait import _core

DOMAIN = "ai.plait"

Array = NDArray[Any]


class TensorSpec(NamedTuple):
    """types: NumPy's names. shape: for people."""

    name: str
    types: tuple[str, ...]
    shape: str


class AttributeSpec(NamedTuple):
    """kind: "float", "int", "floats" or "word". default: None where one has to be given."""

    name: str
    kind: str
    default: float | int | str | None
    doc: str


class OperatorSpec(NamedTuple):
    """What the core says of one operator."""

    name: str
    doc: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    attributes: tuple[AttributeSpec, ...]


def operators() -> tuple[OperatorSpec, ...]:
    """All operators, as their C++ descriptions state them."""
    return tuple(
        OperatorSpec(
            name,
            doc,
            tuple(TensorSpec(n, tuple(types), shape) for n, types, shape in inputs),
            tuple(TensorSpec(n, tuple(types), shape) for n, types, shape in outputs),
            tuple(AttributeSpec(*attribute) for attribute in attributes),
        )
        for name, doc, inputs, outputs, attributes in _core.operators()
    )


def run(
    name: str,
    inputs: Sequence[Any],
    attributes: Mapping[str, Any] | None = None,
    *,
    threads: int | None = None,
    implementation: str = "simd",
) -> tuple[Array, ...]:
    """The outputs of an operator by its name ("GatedFusion"). Raises SampleError, ConfigError."""
    arrays = [array if hasattr(array, "__dlpack__") else np.asarray(array) for array in inputs]
    return tuple(
        _core.run_operator(name, arrays, dict(attributes or {}), implementation, threads or 0)
    )


def library() -> str:
    """Path for `SessionOptions.register_custom_ops_library` of ONNX Runtime."""
    return str(Path(__file__).parent / "lib" / "libplait.so")


def snake_case(name: str) -> str:
    """ "GatedFusion" -> "gated_fusion"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _function(spec: OperatorSpec) -> Callable[..., Any]:
    def call(
        *inputs: Any, threads: int | None = None, implementation: str = "simd", **said: Any
    ) -> Any:
        outputs = run(spec.name, inputs, said, threads=threads, implementation=implementation)
        return outputs[0] if len(outputs) == 1 else outputs

    kinds = inspect.Parameter
    parameters = [kinds(tensor.name, kinds.POSITIONAL_ONLY) for tensor in spec.inputs]
    parameters += [
        kinds(
            attribute.name,
            kinds.KEYWORD_ONLY,
            default=kinds.empty if attribute.default is None else attribute.default,
        )
        for attribute in spec.attributes
    ]
    parameters.append(kinds("threads", kinds.KEYWORD_ONLY, default=None))
    parameters.append(kinds("implementation", kinds.KEYWORD_ONLY, default="simd"))
    call.__name__ = call.__qualname__ = snake_case(spec.name)
    call.__doc__ = _documentation(spec)
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return call


def _documentation(spec: OperatorSpec) -> str:
    def line(tensor: TensorSpec) -> str:
        return f"    {tensor.name}: {tensor.shape}, {' or '.join(tensor.types)}"

    lines = [f"{spec.doc}.", "", *map(line, spec.inputs), "", "Returns:", *map(line, spec.outputs)]
    if spec.attributes:
        lines += ["", *(f"    {a.name} ({a.kind}): {a.doc}" for a in spec.attributes)]
    return "\n".join(lines)


_FUNCTIONS = {snake_case(spec.name): _function(spec) for spec in operators()}


def __getattr__(name: str) -> Callable[..., Any]:
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    raise AttributeError(f"plait.ops has no operator {name}: there are {', '.join(_FUNCTIONS)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_FUNCTIONS])
