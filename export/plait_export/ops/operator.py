"""What the exporter needs to know of one fused operator, beside what the core says of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import onnx
import onnxscript
import torch
from onnx import defs
from torch import Tensor

from plait import ops

VERSION = 1
_ONNX_TYPES = {
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "int32": "tensor(int32)",
}
_ELEMENTS = {
    "float32": onnx.TensorProto.FLOAT,
    "float16": onnx.TensorProto.FLOAT16,
    "int32": onnx.TensorProto.INT32,
}
_ATTRIBUTE_TYPES = {
    "float": defs.OpSchema.AttrType.FLOAT,
    "int": defs.OpSchema.AttrType.INT,
    "floats": defs.OpSchema.AttrType.FLOATS,
    "word": defs.OpSchema.AttrType.STRING,
}


class _Form:
    """Which form is exported: a plain attribute, as torch.compile sees into no ContextVar."""

    portable = False


_FORM = _Form()


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """Inside, operators are their references: an export then holds standard ONNX operators only."""
    before, _FORM.portable = _FORM.portable, True
    try:
        yield
    finally:
        _FORM.portable = before


def in_portable_form() -> bool:
    """Whether operators are their references now."""
    return _FORM.portable


@dataclass(frozen=True)
class TorchOperator:
    """name: of the core's operator. reference: plain torch, differentiable, in the inputs' dtype:
    what the operator means, and its portable form when exported. overload: the torch op that stands
    for the fused node, its arguments the inputs, then the attributes, in the schema's order."""

    name: str
    reference: Callable[..., Any]
    overload: Callable[..., Any]

    @property
    def spec(self) -> ops.OperatorSpec:
        return next(spec for spec in ops.operators() if spec.name == self.name)

    def __call__(self, *arguments: Any) -> Any:
        """The torch op, or inside of `portable()` the reference."""
        return (self.reference if in_portable_form() else self.overload)(*arguments)

    def translation(self) -> Callable[..., Any]:
        """A function of symbolic ONNX values that makes the fused node."""
        register_schema(self.spec)
        domain = onnxscript.values.Opset(ops.DOMAIN, VERSION)
        attributes = [attribute.name for attribute in self.spec.attributes]
        count = len(self.spec.inputs)

        def translate(*arguments: Any) -> Any:
            said = dict(zip(attributes, arguments[count:], strict=True))
            return getattr(domain, self.name)(*arguments[:count], **said)

        return translate


def register(
    reference: Callable[..., Any], shape: Callable[..., Any], name: str
) -> Callable[..., Any]:
    """Makes plait::NAME of a typed reference that returns a tensor or a tuple of tensors, and
    returns its overload.

    shape: the same arguments -> empty tensors of the outputs' shapes and dtypes. The gradient is
    the reference's own: it is computed again backwards, so that nothing but inputs is kept.
    Outputs of whole numbers have none.
    """
    op = torch.library.custom_op(f"plait::{name}", reference, mutates_args=())
    op.register_fake(shape)

    def setup(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        tensors = [value for value in inputs if isinstance(value, Tensor)]
        ctx.save_for_backward(*tensors)
        ctx.rest = inputs[len(tensors) :]

    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        saved = [tensor.detach() for tensor in ctx.saved_tensors]
        wanted = [tensor.requires_grad_() for tensor in saved if tensor.is_floating_point()]
        with torch.enable_grad():
            result = reference(*saved, *ctx.rest)
        outputs = result if isinstance(result, tuple) else (result,)
        reached = [
            (output, gradient)
            for output, gradient in zip(outputs, gradients, strict=True)
            if output.requires_grad and gradient is not None
        ]
        found = iter(
            torch.autograd.grad(
                [output for output, _ in reached],
                wanted,
                [gradient for _, gradient in reached],
                allow_unused=True,
            )
        )
        of_inputs = [next(found) if tensor.is_floating_point() else None for tensor in saved]
        return (*of_inputs, *(None for _ in ctx.rest))

    op.register_autograd(backward, setup_context=setup)
    overload: Callable[..., Any] = getattr(torch.ops.plait, name).default
    return overload


def register_schema(spec: ops.OperatorSpec) -> None:
    """Tells onnx of an operator, once: the exporter makes no node without a schema."""
    if defs.has(spec.name, ops.DOMAIN):
        return
    groups: dict[tuple[str, ...], str] = {}
    for tensor in (*spec.inputs, *spec.outputs):
        groups.setdefault(tensor.types, f"T{len(groups)}")
    parameter = defs.OpSchema.FormalParameter
    schema = defs.OpSchema(
        spec.name,
        ops.DOMAIN,
        VERSION,
        doc=spec.doc,
        inputs=[parameter(t.name, groups[t.types], t.shape) for t in spec.inputs],
        outputs=[parameter(t.name, groups[t.types], t.shape) for t in spec.outputs],
        type_constraints=[
            (name, [_ONNX_TYPES[dtype] for dtype in types], "") for types, name in groups.items()
        ],
        attributes=[_attribute(attribute) for attribute in spec.attributes],
    )
    schema.set_type_and_shape_inference_function(_type_inference(spec))
    onnx.defs.register_schema(schema)


def _type_inference(spec: ops.OperatorSpec) -> Callable[[Any], None]:
    """Tells element types of outputs, without which nothing after them is inferred either."""

    def infer(context: Any) -> None:
        for index, output in enumerate(spec.outputs):
            same = (i for i, tensor in enumerate(spec.inputs) if tensor.types == output.types)
            first = next(same, None)
            element = (
                _ELEMENTS[output.types[0]]
                if first is None
                else context.get_input_type(first).tensor_type.elem_type
            )
            inferred = onnx.TypeProto()
            inferred.tensor_type.elem_type = element
            context.set_output_type(index, inferred)

    return infer


def _attribute(attribute: ops.AttributeSpec) -> defs.OpSchema.Attribute:
    kind = _ATTRIBUTE_TYPES[attribute.kind]
    if attribute.default is None:
        return defs.OpSchema.Attribute(attribute.name, kind, attribute.doc)
    value = onnx.helper.make_attribute(attribute.name, attribute.default)
    return defs.OpSchema.Attribute(attribute.name, value, attribute.doc)
