"""Loads graphs in a process of their own, for those that may take the process with them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from plait import ops

_LOAD = """
import sys
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
if sys.argv[1] == "as written":
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
library = sys.argv[2]
for path in sys.argv[3:]:
    if library:
        options.register_custom_ops_library(library)
        library = ""
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
"""
_SECONDS = 300


def why_not_loadable(models: Iterable[bytes], optimized: bool = True) -> str | None:
    """None where ONNX Runtime loads all of them, else what it did instead. optimized: or left as
    they are written, as the core loads what was made for engines."""
    with tempfile.TemporaryDirectory(prefix="plait-") as folder:
        level = "optimized" if optimized else "as written"
        library = ""
        paths = []
        for index, model in enumerate(models):
            path = Path(folder) / f"{index}.onnx"
            path.write_bytes(model)
            if ops.DOMAIN.encode() in model:
                library = ops.library()
            paths.append(str(path))
        try:
            done = subprocess.run(
                [sys.executable, "-c", _LOAD, level, library, *paths],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"ONNX Runtime did not finish loading in {_SECONDS} s"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"ONNX Runtime crashed while loading it (signal {-done.returncode})"
    lines = done.stderr.strip().splitlines()
    return f"ONNX Runtime refuses it: {lines[-1] if lines else 'no reason given'}"
