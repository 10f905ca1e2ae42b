"""What the CUDA operators do with values that a device cannot refuse, and with wrong calls."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import ops_cuda
from benchmarks.ops_workloads import Workload
from plait import ConfigError, SampleError, ops
from plait_export import ops as torch_ops
from tests.ops import cuda
from tests.ops.cases import CASES, Array, Call, Generator
from tests.ops.implementations import cast

BY_NAME = {case.name: case for case in CASES}
WILD = np.array([-(2**31), -70000, -1, 2**31 - 1, 70000, 2**30], np.int32)


def drawn(
    name: str, generator: Generator, fits: Callable[[Call], bool] = lambda call: True
) -> Call:
    """A random call that fits."""
    while True:
        call = BY_NAME[name].draw(generator)
        if fits(call):
            return call


def disturbed(array: Array, generator: Generator) -> tuple[Array, Array]:
    """With about a third of its values wild; and where they are."""
    where = generator.random(array.shape) < 0.3
    return np.where(where, generator.choice(WILD, array.shape), array).astype(np.int32), where


def test_cuda_bev_pool_leaves_points_out_that_lie_outside(generator: Generator) -> None:
    for _ in range(8):
        call = drawn("BevPool", generator, lambda call: call.inputs[2].size > 0)
        depth, context, depths, pixels, offsets = cast(call, "float32")
        wild_depths, where_depths = disturbed(depths, generator)
        wild_pixels, where_pixels = disturbed(pixels, generator)
        got = cuda.library().run(
            "BevPool", (depth, context, wild_depths, wild_pixels, offsets), call.attributes
        )
        kept = ~(where_depths | where_pixels)
        counts = np.concatenate([[0], np.cumsum(kept)])
        expected = ops.run(
            "BevPool",
            (depth, context, depths[kept], pixels[kept], counts[offsets].astype(np.int32)),
            call.attributes,
        )
        np.testing.assert_allclose(got[0], expected[0], rtol=1e-5, atol=1e-5)


def test_cuda_offsets_that_do_not_rise_are_the_nearest_that_do(generator: Generator) -> None:
    for _ in range(8):
        call = drawn("SegmentReduce", generator, lambda call: call.inputs[0].size > 0)
        values, offsets = cast(call, "float32")
        wild, _ = disturbed(offsets, generator)
        (got,) = cuda.library().run("SegmentReduce", (values, wild), call.attributes)
        reduce = {"sum": np.sum, "mean": np.mean, "max": np.max}[call.attributes["reduce"]]
        for row, begin, end in zip(got, wild[:-1], wild[1:], strict=True):
            first = min(max(int(begin), 0), len(values))
            rows = values[first : max(first, min(int(end), len(values)))]
            expected = reduce(rows, axis=0) if len(rows) else np.zeros_like(row)
            np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-4)


def test_cuda_levels_that_value_does_not_have_contribute_nothing(generator: Generator) -> None:
    call = BY_NAME["MultiScaleDeformableAttention"].edges["the shape of Deformable DETR"](generator)
    value, shapes, locations, weights = cast(call, "float32")
    whole = int(np.prod(shapes[:2], axis=1).sum())
    for bad in ([2**31 - 1, 2**31 - 1], [-3, 5], [0, 0], [10**6, 10**6]):
        wild = np.array([*shapes[:2].tolist(), bad, shapes[3].tolist()], np.int32)
        (got,) = cuda.library().run(
            "MultiScaleDeformableAttention", (value, wild, locations, weights), {}
        )
        arrays = (value[:, :whole], shapes[:2], locations[:, :, :, :2], weights[:, :, :, :2])
        (expected,) = ops.run(
            "MultiScaleDeformableAttention", [np.ascontiguousarray(a) for a in arrays], {}
        )
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_cuda_rows_longer_than_shared_memory_are_fused_too(
    dtype: str, generator: Generator
) -> None:
    shape = (2, 3, 11300)
    inputs = (
        generator.normal(size=shape).astype(dtype),
        generator.normal(size=shape).astype(dtype),
        np.ones(shape[2], dtype),
        np.zeros(shape[2], dtype),
    )
    (got,) = cuda.library().run("GatedFusion", inputs, {"epsilon": 1e-5})
    expected = ops.run("GatedFusion", inputs, {"epsilon": 1e-5})[0].astype(np.float32)
    assert np.abs(got - expected).max() <= (2e-3 if dtype == "float16" else 1e-5) * 6.0


@pytest.mark.parametrize("name", BY_NAME)
def test_cuda_answers_the_same_bits_every_time(name: str, generator: Generator) -> None:
    call = BY_NAME[name].draw(generator)
    first, second = (
        cuda.library().run(name, cast(call, "float32"), call.attributes) for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8))


def test_cuda_calls_that_make_no_sense_are_refused() -> None:
    library = cuda.library()
    x = np.zeros((3, 4), np.float32)
    with pytest.raises(SampleError, match=r"offset.*one a channel"):
        library.run("Skeleton", (x, np.zeros(5, np.float32)), {})
    with pytest.raises(SampleError, match="as the other tensors of the call"):
        library.run("Skeleton", (x, np.zeros(4, np.float16)), {})
    with pytest.raises(ConfigError, match="a finite number"):
        library.run("Skeleton", (x, np.zeros(4, np.float32)), {"gain": float("inf")})


def test_cuda_times_are_measured_on_whatever_runs_them() -> None:
    x = np.zeros((3, 4), np.float32)
    times = cuda.library().times_ms("Skeleton", (x, np.zeros(4, np.float32)), {}, 3)
    assert len(times) == 3
    assert all(time > 0.0 for time in times)
    assert all(time > 0.0 for time in cuda.library().copy_times_ms(1 << 16, 2))


def test_cuda_benchmark_rows_are_right_and_complete() -> None:
    library = cuda.library()
    inputs = (torch.rand(3, 5, 16), torch.rand(3, 5, 16), torch.rand(16), torch.rand(16))

    class Fusion(torch.nn.Module):
        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            return torch_ops.gated_fusion(*tensors)

    workload = Workload("fusion", "GatedFusion", Fusion(), inputs, 0, 0, 1)
    bandwidth = ops_cuda.copy_bandwidth(library, 2, size=1 << 16)
    rows = ops_cuda.rows_of(library, [workload], 2, bandwidth)
    assert [(row["operator"], row["dtype"]) for row in rows] == [
        ("GatedFusion", "float32"),
        ("GatedFusion", "float16"),
    ]
    assert rows[0]["bytes"] == 4 * (2 * 3 * 5 * 16 + 2 * 16 + 5 * 16) == 2 * rows[1]["bytes"]
    assert all(row["right"] and row["ms"] > 0.0 and row["share"] > 0.0 for row in rows)


def test_cuda_check_says_so_where_there_is_no_gpu() -> None:
    if shutil.which("nvidia-smi") or Path("/dev/nvhost-gpu").exists():
        pytest.skip("this machine may have a GPU")
    done = subprocess.run(
        [str(cuda.ROOT / "scripts" / "gpu_check")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["device"] is None
    assert "no NVIDIA GPU here: nothing was checked" in done.stderr
