"""Every operator exports as one fused node and as standard ONNX, and both graphs answer alike."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from plait import ConfigError, ops
from plait_export import ops as torch_ops
from tests.ops.cases import CASES, Array, Call
from tests.ops.implementations import cast, session

BY_NAME = {case.name: case for case in CASES}


def _attend(call: Call, value: Tensor, _: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    levels = [(int(height), int(width)) for height, width in call.inputs[1]]
    return torch_ops.multi_scale_deformable_attention(value, levels, locations, weights)


# How a module calls an operator that takes more than tensors.
_CALLS: dict[str, Callable[..., Any]] = {"MultiScaleDeformableAttention": _attend}


class Calling(nn.Module):
    """Floats are the graph's inputs; indices are constants, as a calibration is."""

    def __init__(self, name: str, call: Call) -> None:
        super().__init__()
        self.operator = next(o for o in torch_ops.OPERATORS if o.name == name)
        self.call = call
        self.inputs = cast(call, "float32")
        for index, array in enumerate(self.inputs):
            if array.dtype.kind != "f":
                self.register_buffer(f"input_{index}", torch.from_numpy(array))

    def floats(self) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(a) for a in self.inputs if a.dtype.kind == "f")

    def forward(self, *floats: Tensor) -> Any:
        given = iter(floats)
        tensors = [
            next(given) if array.dtype.kind == "f" else self.get_buffer(f"input_{index}")
            for index, array in enumerate(self.inputs)
        ]
        if self.operator.name in _CALLS:
            return _CALLS[self.operator.name](self.call, *tensors)
        said = [self.call.attributes[a.name] for a in self.operator.spec.attributes]
        return self.operator(*tensors, *said)


def export(module: Calling, *, fused: bool) -> onnx.ModelProto:
    form = contextlib.nullcontext() if fused else torch_ops.portable()
    with form:
        program = torch.onnx.export(
            module.eval(),
            module.floats(),
            dynamo=True,
            opset_version=20,
            custom_translation_table=torch_ops.translations(),
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@pytest.mark.parametrize("name", BY_NAME)
def test_both_forms_answer_alike(name: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    module = Calling(name, BY_NAME[name].draw(np.random.default_rng(seed)))
    fused, portable = (export(module, fused=form) for form in (True, False))
    assert name in {node.op_type for node in fused.graph.node if node.domain == ops.DOMAIN}
    assert not [node.op_type for node in portable.graph.node if node.domain == ops.DOMAIN]

    def run(running: onnxruntime.InferenceSession) -> list[Array]:
        given = (tensor.numpy() for tensor in module.floats())
        names = [described.name for described in running.get_inputs()]
        return list(running.run(None, dict(zip(names, given, strict=True))))

    ours = run(session(fused.SerializeToString(), 1))
    stock = run(onnxruntime.InferenceSession(portable.SerializeToString()))
    for answer, expected in zip(ours, stock, strict=True):
        assert answer.shape == expected.shape
        scale = float(np.abs(expected).max(initial=0.0))
        assert float(np.abs(answer - expected).max(initial=0.0)) <= 1e-4 * max(scale, 1e-12)


def test_levels_as_a_tensor_have_no_portable_form() -> None:
    case = BY_NAME["MultiScaleDeformableAttention"]
    call = case.draw(np.random.default_rng(0))

    class Tensors(Calling):
        def forward(self, *floats: Tensor) -> Any:
            value, locations, weights = floats
            shapes = self.get_buffer("input_1")
            return torch_ops.multi_scale_deformable_attention(value, shapes, locations, weights)

    with pytest.raises(Exception, match="pairs of numbers") as caught:
        export(Tensors(case.name, call), fused=False)
    causes: list[BaseException | None] = [caught.value]
    while causes[-1] is not None:
        causes.append(causes[-1].__cause__)
    assert any(isinstance(cause, ConfigError) for cause in causes) or "ConfigError" in str(
        caught.value
    )
