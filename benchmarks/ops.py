"""What the fused operators gain inside of ONNX Runtime, and how far they are from the roofline.

    python benchmarks/ops.py [--json FILE] [--quick] [--only WORD]

Every workload of `ops_workloads.py` is exported twice from one torch module: in standard ONNX
operators, for stock ONNX Runtime, and as one fused node. Both answer the same (checked first); then
sessions of one and of two threads of both run interleaved in random order in one process.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

if not __package__:  # run as a file: its neighbours are found from the project's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import harness
from benchmarks.ops_workloads import Workload, all_workloads
from plait import ops as core_ops
from plait_export import ops

_TOLERANCE = 1e-4
_THREADS = (1, 2)
_GEMM = 1024


def exported(module: torch.nn.Module, workload: Workload, *, fused: bool) -> bytes:
    """The module's graph in one form."""
    form = contextlib.nullcontext() if fused else ops.portable()
    with form, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            workload.inputs,
            dynamo=True,
            opset_version=20,
            custom_translation_table=ops.translations(),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError(f"{workload.name}: torch.onnx.export made no graph")
    return bytes(program.model_proto.SerializeToString())


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """As a user makes one, with our operators at hand."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that spin after their session's turn would take a core from the next contestant.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.register_custom_ops_library(core_ops.library())
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def caller(running: onnxruntime.InferenceSession, workload: Workload) -> Callable[[], Any]:
    """Runs the session on inputs and outputs bound once, so that only the graph is timed."""
    binding = running.io_binding()
    for described, tensor in zip(running.get_inputs(), workload.inputs, strict=True):
        binding.bind_cpu_input(described.name, tensor.numpy())
    for described in running.get_outputs():
        binding.bind_output(described.name)
    return lambda: running.run_with_iobinding(binding)


def measure(workload: Workload, rounds: int, seed: int) -> dict[str, Any]:
    """One row: milliseconds of both forms by thread count."""
    graphs = {
        "stock": exported(workload.module, workload, fused=False),
        "ours": exported(workload.module, workload, fused=True),
    }
    if workload.common is not None:
        graphs["common"] = exported(workload.common, workload, fused=False)
    sessions = {
        (name, threads): session(graph, threads)
        for name, graph in graphs.items()
        for threads in _THREADS
    }
    feeds = {
        described.name: tensor.numpy()
        for described, tensor in zip(
            sessions["stock", 1].get_inputs(), workload.inputs, strict=True
        )
    }
    expected = sessions["stock", 1].run(None, feeds)[0]
    for name in graphs:
        error = _error(sessions[name, 1].run(None, feeds)[0], expected)
        if not error <= _TOLERANCE:
            raise RuntimeError(f"{workload.name}: {name} differs from stock by {error:.3g}")
    contestants = {
        f"{name} {threads}": caller(running, workload)
        for (name, threads), running in sessions.items()
    }
    measured = harness.interleave(contestants, rounds, seed, warm_up=3)
    return {
        "name": workload.name,
        "operator": workload.operator,
        "rounds": rounds,
        "ms": {name: spread.median for name, spread in measured.items()},
        "p10_ms": {name: spread.p10 for name, spread in measured.items()},
        "p90_ms": {name: spread.p90 for name, spread in measured.items()},
        "bytes": workload.bytes,
        "flops": workload.flops,
    }


def _error(actual: Any, expected: Any) -> float:
    scale = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(actual - expected).max(initial=0.0)) / max(scale, 1e-12)


def copy_bandwidth(seconds: float = 1.5) -> float:
    """Bytes a second that one thread moves, read and written, from memory to memory."""
    source = np.ones(32 << 20, np.float32)
    target = np.empty_like(source)
    return 2.0 * source.nbytes / _quickest(lambda: np.copyto(target, source), seconds)


def arithmetic_peak(seconds: float = 1.5) -> float:
    """Floating-point operations a second of one thread, as ONNX Runtime's matrix product has it."""
    from onnx import TensorProto, helper

    shape = [_GEMM, _GEMM]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("a", "b", "c")
    ]
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "product", values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    running = session(model.SerializeToString(), 1)
    factor = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    feeds = {"a": factor, "b": factor}
    return 2.0 * _GEMM**3 / _quickest(lambda: running.run(None, feeds), seconds)


def _quickest(call: Callable[[], Any], seconds: float) -> float:
    taken = []
    stop = time.perf_counter() + seconds
    while not taken or time.perf_counter() < stop:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.quantiles(taken, n=10)[0] if len(taken) > 1 else taken[0]


def main() -> None:
    """Measures every workload and reports."""
    arguments = harness.options(__doc__.splitlines()[0] if __doc__ else "", only="")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    machine = {"bandwidth": copy_bandwidth(), "peak": arithmetic_peak()}
    rows = []
    for workload in all_workloads(arguments.seed):
        if arguments.only not in workload.name:
            continue
        rounds = 10 if arguments.quick else workload.rounds
        row = measure(workload, rounds, arguments.seed)
        row["roofline_ms"] = 1e3 * max(
            workload.bytes / machine["bandwidth"], workload.flops / machine["peak"]
        )
        rows.append(row)
        ms = row["ms"]
        print(
            f"{row['name']:44} stock {ms['stock 1']:8.3f} ours {ms['ours 1']:8.3f} ms  "
            f"{ms['stock 1'] / ms['ours 1']:5.1f}x  roofline {row['roofline_ms']:7.3f}  "
            f"2 threads {ms['stock 2'] / ms['ours 2']:5.1f}x, "
            f"{ms['ours 1'] / ms['ours 2']:4.2f} of one",
            file=sys.stderr,
        )
    document = {
        "command": "python benchmarks/ops.py",
        "machine": harness.machine(),
        "measured": machine,
        "rows": rows,
    }
    text = json.dumps(document, indent=2) + "\n"
    if arguments.json is not None and str(arguments.json) != "-":
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(text)
    elif arguments.json is not None:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
