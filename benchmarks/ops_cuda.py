"""How near the CUDA kernels come to the device's bandwidth, on the workloads of `ops_workloads.py`.

    python benchmarks/ops_cuda.py LIBRARY [--json FILE] [--quick]

LIBRARY is libplait_cuda_arrays.so (`scripts/gpu_check` builds it and calls this). Every workload's
call of a fused operator is run in float32 and float16, checked against the core's on the CPU, and
timed on the device with cold caches. The yardstick is a copy within the device's memory: `share` is
the least traffic a kernel can have (inputs read once, outputs written once) in a second, divided by
what the copy moves in a second.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

if not __package__:  # run as a file: its neighbours are found from the project's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import harness
from benchmarks.ops_workloads import Workload, all_workloads
from plait import ops as core_ops
from plait_export import ops
from tests.ops.cuda import CudaLibrary

_COPY_BYTES = 256 << 20
_TOLERANCE = {"float32": 1e-4, "float16": 1e-2}


class Call(NamedTuple):
    """One call of a fused operator."""

    operator: str
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]


class _Recorder(TorchDispatchMode):
    """Keeps the calls of fused operators that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        for operator in ops.OPERATORS:
            if func is operator.overload:
                spec = operator.spec
                count = len(spec.inputs)
                names = [attribute.name for attribute in spec.attributes]
                inputs = tuple(tensor.detach().contiguous().numpy() for tensor in args[:count])
                said = dict(zip(names, args[count:], strict=True))
                self.calls.append(Call(operator.name, inputs, said))
        return func(*args, **(kwargs or {}))


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Inside, the calls of fused operators are kept."""
    recorder = _Recorder()
    with torch.inference_mode(), recorder:
        yield recorder.calls


def calls_of(workload: Workload) -> list[Call]:
    """The fused operators' calls in one run of a workload."""
    with recorded() as calls:
        workload.module(*workload.inputs)
    return calls


def measure(library: CudaLibrary, call: Call, dtype: str, rounds: int) -> dict[str, Any]:
    """A row: milliseconds of one call, its least traffic, and its error against the CPU's."""
    inputs = tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in call.inputs)
    outputs = library.run(call.operator, inputs, call.attributes)
    expected = core_ops.run(call.operator, inputs, call.attributes)
    times = library.times_ms(call.operator, inputs, call.attributes, rounds)
    quantiles = statistics.quantiles(times, n=10)
    return {
        "operator": call.operator,
        "dtype": dtype,
        "rounds": rounds,
        "ms": statistics.median(times),
        "p10_ms": quantiles[0],
        "p90_ms": quantiles[-1],
        "bytes": sum(array.nbytes for array in (*inputs, *outputs)),
        "error": max(_error(ours, theirs) for ours, theirs in zip(outputs, expected, strict=True)),
    }


def _error(actual: Any, expected: Any) -> float:
    wanted = expected.astype(np.float64)
    scale = float(np.abs(wanted).max(initial=0.0))
    return float(np.abs(actual - wanted).max(initial=0.0)) / max(scale, 1e-12)


def copy_bandwidth(library: CudaLibrary, rounds: int, size: int = _COPY_BYTES) -> float:
    """Bytes a second that a copy within the device's memory reads and writes."""
    return 2e3 * size / statistics.median(library.copy_times_ms(size, rounds))


def rows_of(
    library: CudaLibrary, workloads: list[Workload], rounds: int, bandwidth: float
) -> list[dict[str, Any]]:
    """Every fused call of every workload whose operator has a CUDA implementation."""
    rows = []
    for workload in workloads:
        for call in calls_of(workload):
            if call.operator not in library.operators:
                continue
            for dtype in ("float32", "float16"):
                row = {"name": workload.name, **measure(library, call, dtype, rounds)}
                row["share"] = row["bytes"] / (1e-3 * row["ms"]) / bandwidth
                row["right"] = row["error"] <= _TOLERANCE[dtype]
                rows.append(row)
    return rows


def main() -> None:
    """Measures every workload and reports; exit status 1 where an answer is wrong."""
    path = Path(sys.argv.pop(1))
    arguments = harness.options(__doc__.splitlines()[0] if __doc__ else "")
    library = CudaLibrary(path)
    rounds = 10 if arguments.quick else 50
    device, capability = library.device()
    bandwidth = copy_bandwidth(library, rounds)
    rows = rows_of(library, all_workloads(arguments.seed), rounds, bandwidth)
    for row in rows:
        print(
            f"{row['name']:44} {row['dtype']:8} {row['ms']:8.3f} ms  {row['share']:6.1%} of a copy"
            f"{'' if row['right'] else '  WRONG'}",
            file=sys.stderr,
        )
    document = {
        "command": "scripts/gpu_check",
        "machine": harness.machine(),
        "device": {"name": device, "capability": capability, "copy_bandwidth": bandwidth},
        "rows": rows,
    }
    text = json.dumps(document, indent=2) + "\n"
    if arguments.json is not None and str(arguments.json) != "-":
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(text)
    else:
        sys.stdout.write(text)
    sys.exit(0 if all(row["right"] for row in rows) else 1)


if __name__ == "__main__":
    main()
