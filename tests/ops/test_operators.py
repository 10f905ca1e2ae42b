"""One suite over every operator, implementation and element type, against torch in float64."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from plait import SampleError, ops
from plait_export import ops as torch_ops
from tests.ops.cases import CASES, Array, Call, Generator, OperatorCase
from tests.ops.implementations import IMPLEMENTATIONS, cast, reference, rounded

BY_NAME = {case.name: case for case in CASES}
EDGES = [(case.name, edge) for case in CASES for edge in case.edges]
every_case = pytest.mark.parametrize("name", BY_NAME)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float16"])
every_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)


def check(case: OperatorCase, implementation: str, dtype: str, call: Call) -> None:
    call = rounded(call, dtype)
    outputs = IMPLEMENTATIONS[implementation](case, cast(call, dtype), call.attributes)
    answers = reference(case, call)
    sizes = answers if case.terms is None else reference(case, case.terms(call))
    for output, expected, size in zip(outputs, answers, sizes, strict=True):
        assert output.shape == expected.shape
        scale = float(np.abs(size).max(initial=0.0))
        error = float(np.abs(output.astype(np.float64) - expected).max(initial=0.0))
        assert error <= case.tolerance[dtype] * max(scale, 1e-12)


@every_case
@every_dtype
@every_implementation
def test_answers_as_the_reference_in_float64(
    name: str, dtype: str, implementation: str, generator: Generator
) -> None:
    for _ in range(8):
        check(BY_NAME[name], implementation, dtype, BY_NAME[name].draw(generator))


@pytest.mark.parametrize(("name", "edge"), EDGES)
@every_dtype
@every_implementation
def test_shapes_and_values_at_the_edges(
    name: str, edge: str, dtype: str, implementation: str, generator: Generator
) -> None:
    check(BY_NAME[name], implementation, dtype, BY_NAME[name].edges[edge](generator))


@every_case
@every_dtype
def test_the_thread_count_changes_no_bit(name: str, dtype: str, generator: Generator) -> None:
    case = BY_NAME[name]
    call = case.draw(generator)
    alone = ops.run(name, cast(call, dtype), call.attributes, threads=1)
    for threads in (2, 3, 7):
        together = ops.run(name, cast(call, dtype), call.attributes, threads=threads)
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8))


@every_case
@every_implementation
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spreads_as_in_the_reference(
    name: str, implementation: str, value: float, generator: Generator
) -> None:
    case = BY_NAME[name]
    call = rounded(case.draw(generator), "float32")
    for index in case.poisoned:
        array = call.inputs[index]
        if array.size == 0:
            continue
        poisoned = array.copy()
        poisoned.flat[generator.integers(array.size)] = value
        changed = call.replaced(index, poisoned)
        outputs = IMPLEMENTATIONS[implementation](case, cast(changed, "float32"), call.attributes)
        for output, expected in zip(outputs, reference(case, changed), strict=True):
            np.testing.assert_array_equal(np.isnan(output), np.isnan(expected))


@every_case
def test_a_strided_or_foreign_input_is_refused(name: str, generator: Generator) -> None:
    case = BY_NAME[name]
    call = case.draw(generator)
    inputs = list(cast(call, "float32"))
    widest = max(range(len(inputs)), key=lambda i: inputs[i].size)
    for broken in (
        np.repeat(inputs[widest], 2, axis=-1)[..., ::2],
        inputs[widest].astype(np.int64),
        inputs[widest][None],
    ):
        arrays = [*inputs[:widest], broken, *inputs[widest + 1 :]]
        with pytest.raises(SampleError, match=name):
            ops.run(name, arrays, call.attributes)
    with pytest.raises(SampleError, match="inputs"):
        ops.run(name, inputs[:-1], call.attributes)


@every_case
def test_the_torch_op_computes_and_differentiates_as_its_reference(
    name: str, generator: Generator
) -> None:
    operator = next(o for o in torch_ops.OPERATORS if o.name == name)
    call = BY_NAME[name].draw(generator)
    said = [call.attributes[attribute.name] for attribute in operator.spec.attributes]

    def gradients(function: Callable[..., torch.Tensor]) -> list[Array]:
        tensors = [torch.from_numpy(array.copy()) for array in call.inputs]
        floats = [tensor.requires_grad_() for tensor in tensors if tensor.is_floating_point()]
        result = function(*tensors, *said)
        outputs = result if isinstance(result, tuple) else (result,)
        for output in outputs:
            if output.requires_grad:
                weights = torch.linspace(-1.0, 2.0, output.numel(), dtype=output.dtype)
                (output * weights.reshape(output.shape)).sum().backward(retain_graph=True)
        return [
            *(output.detach().numpy() for output in outputs),
            *(t.grad.numpy() for t in floats if t.grad is not None),
        ]

    for ours, expected in zip(
        gradients(operator.overload), gradients(operator.reference), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


@every_case
def test_every_operator_has_a_case_and_a_torch_side(name: str) -> None:
    named = {spec.name for spec in ops.operators()}
    assert named == set(BY_NAME) == {operator.name for operator in torch_ops.OPERATORS}
    assert callable(getattr(ops, ops.snake_case(name)))


def test_the_snippet_of_the_docs_runs() -> None:
    page = Path(__file__).parents[2] / "docs" / "add-an-op.md"
    (snippet,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    exec(compile(snippet, str(page), "exec"), {})  # the page's own words
