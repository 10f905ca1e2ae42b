"""VoxelReduce and PillarScatter beyond the suite of all operators: borders, exports, bad input."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from plait import ConfigError, SampleError, ops
from plait_export import ops as torch_ops

GRID: dict[str, Any] = {
    "lower": [-51.2, -51.2, -5.0],
    "upper": [51.2, 51.2, 3.0],
    "size": [0.8, 0.8, 8.0],
    "capacity": 3000,
}
LARGE_GRID: dict[str, Any] = GRID | {"size": [0.05, 0.05, 0.1]}
BOTH_GRIDS = pytest.mark.parametrize("grid", [GRID, LARGE_GRID], ids=["table", "sort"])


def cloud(generator: np.random.Generator, grid: dict[str, Any]) -> tuple[NDArray[np.float32], ...]:
    """Points anywhere, on borders of cells, of the grid, and not finite; and a turned sensor."""
    anywhere = generator.normal(size=(2000, 5)) * [30.0, 30.0, 3.0, 1.0, 1.0]
    cells = generator.integers(-1, 514, size=(1000, 3))
    borders = np.zeros((1000, 5))
    borders[:, :3] = np.array(grid["lower"]) + cells * np.array(grid["size"])
    lost = np.array([[np.nan, 0, 0, 1, 1], [0, np.inf, 0, 1, 1], [0, 0, -np.inf, 1, 1]])
    points = np.concatenate([anywhere, borders, lost]).astype(np.float32)
    angle = generator.uniform(-0.1, 0.1)
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    transform = np.eye(3, 4)
    if generator.random() < 0.5:  # else the borders stay where they are
        transform[:2, :2] = turn
        transform[:, 3] = generator.normal(size=3)
    return generator.permutation(points), transform.astype(np.float32)


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("channels", [3, 5, 8, 37])
def test_a_table_and_a_sort_give_the_same_bits(
    reduce: str, channels: int, generator: np.random.Generator
) -> None:
    """More layers, all empty, make the table of cells too large and change no voxel."""
    points, transform = cloud(generator, GRID)
    rest = generator.normal(size=(len(points), 37)).astype(np.float32)
    rest[generator.integers(len(points), size=300)] = generator.choice([-0.0, np.nan, -np.inf])
    points = np.concatenate([points[:, :3], rest], 1)[:, :channels].copy()
    transform[2, 3] = 0.0
    points[:, 2] = np.minimum(points[:, 2], 2.9)
    tall = {"upper": [51.2, 51.2, 3.0 + 8.0 * 400]}
    for grid in (GRID, GRID | {"capacity": 91}):
        found, expected = (
            ops.run("VoxelReduce", (points, transform), g | {"reduce": reduce}, threads=t)
            for g, t in ((grid, 3), (grid | tall, 1))
        )
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours.view(np.uint8), theirs.view(np.uint8))


@BOTH_GRIDS
@pytest.mark.parametrize("implementation", ["simd", "scalar"])
@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_points_on_borders_fall_as_in_the_portable_form(
    grid: dict[str, Any], implementation: str, reduce: str, generator: np.random.Generator
) -> None:
    """In float32 both do the same arithmetic: not one point may differ."""
    arrays = cloud(generator, grid)
    outputs = ops.run(
        "VoxelReduce", arrays, grid | {"reduce": reduce}, implementation=implementation
    )
    with torch_ops.portable():
        expected = torch_ops.voxel_reduce(*map(torch.from_numpy, arrays), **grid, reduce=reduce)
    for output, reference in zip(outputs[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(output, reference.numpy())
    np.testing.assert_allclose(outputs[0], expected.features.numpy(), rtol=1e-5, atol=1e-5)


class _Pillars(torch.nn.Module):
    """As a LiDAR encoder begins: voxels, then their features on the bird's-eye view."""

    def __init__(self, grid: dict[str, Any]) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, points: torch.Tensor, transform: torch.Tensor) -> tuple[torch.Tensor, ...]:
        voxels = torch_ops.voxel_reduce(points, transform, **self.grid)
        cells = torch.where(voxels.cells < 512 * 512, voxels.cells, -1)
        return (*voxels, torch_ops.pillar_scatter(voxels.features, cells, 512, 512))


@BOTH_GRIDS
def test_the_portable_form_answers_the_same_in_stock_onnxruntime(
    grid: dict[str, Any], generator: np.random.Generator
) -> None:
    arrays = cloud(generator, grid)
    tensors = tuple(map(torch.from_numpy, arrays))
    model = _Pillars(grid).eval()
    with torch_ops.portable(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(model, tensors, dynamo=True, opset_version=20, verbose=False)
    assert program is not None
    session = onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [tensor.name for tensor in session.get_inputs()]
    outputs = session.run(None, dict(zip(names, arrays, strict=True)))
    for output, expected in zip(outputs, model(*tensors), strict=True):
        np.testing.assert_allclose(output, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"size": [0.2, 0.2]}, "size"),
        ({"size": [0.2, 0.0, 8.0]}, "size"),
        ({"size": [0.2, 0.2, float("nan")]}, "size"),
        ({"upper": [51.3, 51.2, 3.0]}, "upper"),
        ({"upper": [51.2, -51.2, 3.0]}, "upper"),
        ({"lower": [-51.2, float("inf"), -5.0]}, "lower"),
        ({"size": [0.001, 0.001, 0.1]}, "size"),
        ({"capacity": 0}, "capacity"),
        ({"reduce": "median"}, "reduce"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(changed: dict[str, Any], named: str) -> None:
    points, transform = np.zeros((1, 3), np.float32), np.eye(3, 4, dtype=np.float32)
    with pytest.raises(ConfigError, match=f"VoxelReduce, {named}"):
        ops.run("VoxelReduce", (points, transform), GRID | changed)


@pytest.mark.parametrize("implementation", ["simd", "scalar"])
def test_a_cell_beyond_the_canvas_is_refused(implementation: str) -> None:
    values, cells = np.zeros((3, 4), np.float32), np.array([0, 12, -1], np.int32)
    with pytest.raises(SampleError, match=r"cells\[1\].*below 12"):
        ops.run(
            "PillarScatter",
            (values, cells),
            {"rows": 3, "columns": 4},
            implementation=implementation,
        )


@pytest.mark.parametrize(
    "attributes",
    [{"rows": 0, "columns": 4}, {"rows": 1 << 20, "columns": 1 << 20}, {"reduce": "median"}],
)
def test_a_canvas_that_makes_no_sense_is_refused(attributes: dict[str, Any]) -> None:
    values, cells = np.zeros((1, 4), np.float32), np.zeros(1, np.int32)
    with pytest.raises(ConfigError, match="PillarScatter"):
        ops.run("PillarScatter", (values, cells), {"rows": 2, "columns": 2} | attributes)
