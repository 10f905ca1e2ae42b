"""Runs recorded calls of the operators on this machine and compares with torch's answers.

replay_operators.py FILE.npz LIBRARY: the file of record_operators.py, and the custom-operator
library for ONNX Runtime. Needs NumPy, ONNX Runtime and plait only. Exit status 1 where one differs.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from plait import ops

Array = NDArray[Any]


def answers(
    call: dict[str, Any], inputs: list[Array], graph: bytes, library: str
) -> Iterator[tuple[str, tuple[Array, ...]]]:
    """Every implementation's outputs, with its name."""
    for implementation, threads in (("scalar", 1), ("simd", 1), ("simd", 3)):
        outputs = ops.run(
            call["name"],
            inputs,
            call["attributes"],
            threads=threads,
            implementation=implementation,
        )
        yield f"{implementation} on {threads} threads", outputs
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 4
    options.register_custom_ops_library(library)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    named = {tensor.name: array for tensor, array in zip(session.get_inputs(), inputs, strict=True)}
    yield "ONNX Runtime custom op", tuple(session.run(None, named))


def error_of(output: Array, expected: Array) -> float:
    """max|output - expected| / max|expected|; infinite for another shape."""
    if output.shape != expected.shape:
        return float("inf")
    difference = float(np.abs(output.astype(np.float64) - expected).max(initial=0.0))
    return difference / max(float(np.abs(expected).max(initial=0.0)), 1e-12)


def main() -> int:
    """Compares all calls; prints one line an operator and one a difference."""
    recorded = np.load(sys.argv[1])
    calls = json.loads(str(recorded["calls"]))
    worst: dict[str, float] = {}
    compared = failed = 0
    for number, call in enumerate(calls):
        inputs = [recorded[f"{number}.input.{i}"] for i in range(call["inputs"])]
        graph = recorded[f"{number}.graph"].tobytes()
        for implementation, outputs in answers(call, inputs, graph, sys.argv[2]):
            for i, output in enumerate(outputs):
                error = error_of(output, recorded[f"{number}.output.{i}"])
                part = error / call["tolerance"] if call["tolerance"] else float(error > 0)
                worst[call["name"]] = max(worst.get(call["name"], 0.0), part)
                compared += 1
                if not error <= call["tolerance"]:
                    failed += 1
                    print(f"{call['title']}, {implementation}, output {i}: off by {error:.3g}")
    for name, part in worst.items():
        print(f"{name:32} at most {part:.0%} of its tolerance")
    print(f"{compared} outputs of {len(calls)} calls on {platform.machine()}, {failed} differ")
    return 1 if failed or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
