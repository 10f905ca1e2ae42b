"""Scatters that reduce, written out for TensorRT's parser: the same answers, none left."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from plait_export.engines.scatter import without_reductions

Array = NDArray[Any]
COMBINE = {"add": np.add, "max": np.maximum, "min": np.minimum}


def one_scatter(op: str, kind: str, inputs: dict[str, Array], constant: bool) -> onnx.ModelProto:
    """A graph whose output y is one scatter. inputs: data, targets, updates; constant: the targets
    are in the graph."""
    data, targets, updates = inputs.values()
    rows, ranks = len(targets), [1] * (data.ndim - 1)
    nodes = [helper.make_node("Reshape", ["targets", "column"], ["places"])]
    column, constants = [-1], {"targets": targets} if constant else {}
    if op == "ScatterND":
        column = [-1, 1]
    elif ranks:
        column = [-1, *ranks]
        constants["sizes"] = np.array([rows, *updates.shape[1:]])
        nodes = [
            helper.make_node("Reshape", ["targets", "column"], ["one_column"]),
            helper.make_node("Expand", ["one_column", "sizes"], ["places"]),
        ]
    constants["column"] = np.array(column)
    nodes.append(helper.make_node(op, ["data", "places", "updates"], ["y"], reduction=kind))
    graph = helper.make_graph(
        nodes,
        "one",
        [_info(n, v) for n, v in inputs.items() if n not in constants],
        [_info("y", data)],
        [numpy_helper.from_array(v, n) for n, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _info(name: str, value: Array) -> onnx.ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(value.dtype)
    return helper.make_tensor_value_info(name, element, value.shape)


def answer(model: onnx.ModelProto, inputs: dict[str, Array]) -> Array:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    read = {one.name for one in session.get_inputs()}
    found: Array = session.run(None, {n: v for n, v in inputs.items() if n in read})[0]
    return found


def reductions(model: onnx.ModelProto) -> set[str]:
    return {
        attribute.s.decode()
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.name == "reduction"
    }


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("kind", ["add", "max", "min"])
@pytest.mark.parametrize(
    "node",
    [
        ("ScatterND", "float32", (5,)),
        ("ScatterND", "int64", ()),
        ("ScatterND", "float32", (3, 2)),
        ("ScatterElements", "float16", (3,)),
        ("ScatterElements", "int64", ()),
    ],
)
def test_the_answers_are_those_of_one_row_after_the_other(
    generator: np.random.Generator, constant: bool, kind: str, node: tuple[str, str, tuple[int]]
) -> None:
    op, dtype, further = node
    for count in (1, 16, 300):  # digits of the sort: none, one and three
        rows = int(generator.integers(1, 200))
        targets = generator.integers(0, count, rows)
        targets[: min(rows, 2)] = -1  # counted from the end
        data = generator.integers(-9, 9, (count, *further)).astype(dtype)
        updates = generator.integers(-9, 9, (rows, *further)).astype(dtype)
        inputs = {"data": data, "targets": targets, "updates": updates}
        written_out = without_reductions(one_scatter(op, kind, inputs, constant))
        onnx.checker.check_model(written_out, full_check=True)
        assert not reductions(written_out)
        expected = data.copy()
        COMBINE[kind].at(expected, targets, updates)
        np.testing.assert_array_equal(answer(written_out, inputs), expected)


@pytest.mark.parametrize("constant", [False, True])
def test_sums_are_as_exact_as_one_after_the_other(
    generator: np.random.Generator, constant: bool
) -> None:
    targets = generator.integers(0, 7, 5000)
    sizes = 10.0 ** generator.integers(-3, 4, (5000, 1))
    updates = (generator.normal(size=(5000, 2)) * sizes).astype(np.float32)
    inputs = {"data": np.zeros((7, 2), np.float32), "targets": targets, "updates": updates}
    model = one_scatter("ScatterND", "add", inputs, constant)
    exact = np.zeros((7, 2))
    np.add.at(exact, targets, updates.astype(np.float64))
    one_by_one = np.abs(answer(model, inputs) - exact).max()
    assert np.abs(answer(without_reductions(model), inputs) - exact).max() <= 2 * one_by_one


def test_rows_that_all_write_the_same_are_not_sorted() -> None:
    """How a maximum that leaves the targets out is exported: first all of them are made least."""
    targets = np.arange(20) % 5
    alike = {"data": np.zeros((9, 4), np.float32), "updates": np.full((20, 4), -3e38, np.float32)}
    inputs = {"data": alike["data"], "targets": targets, "updates": alike["updates"]}
    model = one_scatter("ScatterElements", "min", inputs, constant=False)
    model.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in alike.items())
    given = [one for one in model.graph.input if one.name not in alike]
    del model.graph.input[:]
    model.graph.input.extend(given)
    written_out = without_reductions(model)
    assert "CumSum" not in {node.op_type for node in written_out.graph.node}
    expected = alike["data"].copy()
    np.minimum.at(expected, targets, alike["updates"])
    np.testing.assert_array_equal(answer(written_out, inputs), expected)


@pytest.mark.parametrize("rows", [3, 20])
def test_scatters_that_overwrite_still_do(rows: int) -> None:
    """The parser takes no ScatterElements with more rows than targets, but such a ScatterND."""
    data, targets = np.zeros(9, np.float32), np.arange(rows) % 5
    inputs = {"data": data, "targets": targets, "updates": (targets + 1).astype(np.float32)}
    written_out = without_reductions(one_scatter("ScatterElements", "none", inputs, False))
    kept = "ScatterElements" in {node.op_type for node in written_out.graph.node}
    assert kept == (rows <= len(data))
    expected = data.copy()
    expected[targets] = inputs["updates"]
    np.testing.assert_array_equal(answer(written_out, inputs), expected)
