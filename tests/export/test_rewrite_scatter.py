"""Scatters that pool, as torch's exporters write them, become pooling operators."""

from __future__ import annotations

import secrets
import warnings
from io import BytesIO
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from plait_export.graphs import Runner, relative_error
from plait_export.rewrite import Rewritten, rewrite, rewriting
from plait_export.rewrite.match import Match

ROWS, COLUMNS, CHANNELS, POINTS = 5, 7, 6, 90
CELLS = ROWS * COLUMNS


@pytest.fixture(autouse=True)
def seed() -> None:
    number = secrets.randbits(32)
    print(f"seed {number}")
    torch.manual_seed(number)


class IndexAdd(nn.Module):
    """A cell past the plane takes what is outside; the plane comes out channels first."""

    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        total = torch.zeros(CELLS + 1, CHANNELS).index_add(0, cells, x)
        return total[:CELLS].t().reshape(1, CHANNELS, ROWS, COLUMNS)


class IndexPut(nn.Module):
    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        plane = torch.zeros(ROWS + 1, COLUMNS, CHANNELS)
        return plane.index_put((cells // COLUMNS, cells % COLUMNS), x, accumulate=True)


class ScatterAdd(nn.Module):
    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        wide = cells[:, None].expand(-1, CHANNELS)
        return torch.zeros(CELLS + 1, CHANNELS).scatter_add(0, wide, x)


class MaximumWithZero(nn.Module):
    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        wide = cells[:, None].expand(-1, CHANNELS)
        return torch.zeros(CELLS + 1, CHANNELS).scatter_reduce(0, wide, x, "amax")


class MaximumOfPoints(nn.Module):
    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        wide = cells[:, None].expand(-1, CHANNELS)
        empty = torch.zeros(CELLS + 1, CHANNELS)
        return empty.scatter_reduce(0, wide, x, "amax", include_self=False)


class VoxelMean(nn.Module):
    """Sums and counts in one scatter, divided."""

    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        counted = torch.cat([x, torch.ones_like(x[:, :1])], 1)
        total = torch.zeros(CELLS + 1, CHANNELS + 1).index_add(0, cells, counted)[:CELLS]
        mean = total[:, :CHANNELS] / total[:, CHANNELS:].clamp(min=1)
        return mean.t().reshape(CHANNELS, ROWS, COLUMNS)


class Minimum(nn.Module):
    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        wide = cells[:, None].expand(-1, CHANNELS)
        return torch.zeros(CELLS + 1, CHANNELS).scatter_reduce(0, wide, x, "amin")


class OntoOnes(nn.Module):
    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        return torch.ones(CELLS + 1, CHANNELS).index_add(0, cells, x)


class Segments(nn.Module):
    """Where each row goes is constant, and neither sorted nor without gaps."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cells", torch.randint(0, 9, (POINTS,)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(10, CHANNELS).index_add(0, self.cells, x)


class Lifted(nn.Module):
    """Lift, splat: the product of depth and context, pooled where a calibration says."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cells", torch.randint(0, CELLS + 1, (2 * 4 * 3 * 5,)))

    def forward(self, depth: Tensor, context: Tensor) -> Tensor:
        product = depth.softmax(1).unsqueeze(1) * context.unsqueeze(2)
        rows = product.permute(0, 2, 3, 4, 1).reshape(-1, CHANNELS)
        plane = torch.zeros(CELLS + 1, CHANNELS).index_add(0, self.cells, rows)
        return plane[:CELLS].t().reshape(1, CHANNELS, ROWS, COLUMNS)


def graph_of(module: nn.Module, inputs: tuple[Tensor, ...], dynamo: bool) -> onnx.ModelProto:
    names = [f"input_{place}" for place in range(len(inputs))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            program = torch.onnx.export(
                module.eval(),
                inputs,
                dynamo=True,
                opset_version=20,
                input_names=names,
                verbose=False,
            )
            assert program is not None
            return program.model_proto
        file = BytesIO()
        torch.onnx.export(
            module.eval(), inputs, file, dynamo=False, opset_version=18, input_names=names
        )
        return onnx.load_model_from_string(file.getvalue())


def rewritten_and_checked(
    module: nn.Module, inputs: tuple[Tensor, ...], others: tuple[Tensor, ...], dynamo: bool = True
) -> Rewritten:
    """Rewritten on some inputs, and held against torch on others."""
    result = rewrite(graph_of(module, inputs, dynamo), feeds(inputs))
    (answer,) = Runner(result.model.SerializeToString())(feeds(others))
    with torch.no_grad():
        assert relative_error(answer, module(*others).numpy()) < 1e-5
    return result


def feeds(inputs: tuple[Tensor, ...]) -> dict[str, Any]:
    return {f"input_{place}": tensor.numpy() for place, tensor in enumerate(inputs)}


def points() -> tuple[Tensor, Tensor]:
    return torch.randn(POINTS, CHANNELS), torch.randint(0, CELLS + 1, (POINTS,))


@pytest.mark.parametrize(
    ("module", "dynamo"),
    [
        *((module, True) for module in (IndexAdd, IndexPut, ScatterAdd)),
        *((module, True) for module in (MaximumWithZero, MaximumOfPoints, VoxelMean)),
        (ScatterAdd, False),
        (MaximumWithZero, False),
    ],
)
def test_points_pooled_where_they_fall_become_a_pillar_scatter(
    module: type[nn.Module], dynamo: bool
) -> None:
    result = rewritten_and_checked(module(), points(), points(), dynamo)
    assert [done.operator for done in result.replaced] == ["PillarScatter"], result.near
    assert not {node.op_type for node in result.model.graph.node} & {"ScatterND", "ScatterElements"}


def test_rows_that_a_constant_pools_become_a_segment_reduce() -> None:
    inputs, others = (torch.randn(POINTS, CHANNELS),), (torch.randn(POINTS, CHANNELS),)
    result = rewritten_and_checked(Segments(), inputs, others)
    assert [done.operator for done in result.replaced] == ["SegmentReduce"], result.near


def test_lifted_pictures_become_a_bev_pool_without_their_product() -> None:
    def pictures() -> tuple[Tensor, Tensor]:
        return torch.randn(2, 4, 3, 5), torch.randn(2, CHANNELS, 3, 5)

    result = rewritten_and_checked(Lifted(), pictures(), pictures())
    assert [done.operator for done in result.replaced] == ["BevPool"], result.near
    assert "Mul" not in {node.op_type for node in result.model.graph.node}


@pytest.mark.parametrize(("module", "reason"), [(Minimum, "is min"), (OntoOnes, "not all zeros")])
def test_scatters_that_no_operator_computes_are_left(module: type[nn.Module], reason: str) -> None:
    inputs = points()
    given = graph_of(module(), inputs, True)
    result = rewrite(given, feeds(inputs))
    assert result.replaced == ()
    assert result.model == given
    assert any(reason in missed.reason for missed in result.near)


def test_an_exporter_that_lost_the_sum_is_told_on() -> None:
    inputs = (torch.randn(CELLS, CHANNELS), torch.zeros(CELLS, dtype=torch.long))
    result = rewrite(graph_of(IndexAdd(), inputs, False), feeds(inputs))
    assert result.replaced == ()
    (missed,) = result.near
    assert "overwrite one another" in missed.reason


def test_an_index_from_the_end_stays_one() -> None:
    rows, cells = points()
    graph = graph_of(ScatterAdd(), (rows, cells), True)
    result = rewrite(graph, feeds((rows, cells)))
    negative = feeds((rows, cells - CELLS - 1))
    answers = [Runner(m.SerializeToString())(negative)[0] for m in (graph, result.model)]
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-5, atol=1e-6)


def test_a_replacement_that_does_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", 3])
        for name in ("x", "y")
    ]
    graph = onnx.helper.make_graph([node], "graph", values[:1], values[1:])
    opset = [onnx.helper.make_opsetid("", 20)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)

    def wrong(_: Any) -> list[Match]:
        match = Match("PillarScatter", "relu", "y", "of one size only")
        match.finish(match.reshape("x", [2, 3]))
        return [match]

    monkeypatch.setattr(rewriting, "find_scatters", wrong)
    sizes = [{"x": np.ones((rows, 3), np.float32)} for rows in (2, 5)]
    rewritten = rewrite(model, sizes)
    assert not rewritten.replaced
    assert "does not run" in rewritten.near[0].reason
    assert rewritten.errors == {"y": 0.0}
