"""What Plait costs and saves: whole runs against the script one writes today, and our overhead.

    python benchmarks/run_overhead.py [--json FILE] [--quick] [--bundle FILE] [--threads 1]

The script: NumPy preprocessing and one onnxruntime session of the whole model (the bundle's own
graphs of the same precision, merged), the same threads, softmax and label in NumPy. Absent
modalities are zeros with presence 0 there; their encoders run all the same, since one graph holds
them all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

if not __package__:  # run as a file: its neighbours are found from the project's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import plait
from benchmarks import harness
from benchmarks.whole_model import WholeModelScript

OVERHEAD_PROGRAM = Path("build/release/benchmarks/run_overhead")
IMPORTS = {
    "plait": "import plait",
    "onnxruntime + NumPy": "import numpy, onnxruntime",
}


def raw_samples(model: plait.Model, seed: int) -> dict[str, NDArray[np.float32]]:
    """One random raw window of every modality."""
    generator = np.random.default_rng(seed)
    return {
        modality["name"]: generator.standard_normal(
            (modality["signal"]["window"], len(modality["signal"]["sensor"]["channels"]))
        ).astype(np.float32)
        for modality in model.manifest["modalities"]
    }


def presence_sets(model: plait.Model) -> list[tuple[str, ...]]:
    """Everything present, then each modality alone."""
    alone = [(name,) for name in model.modalities]
    return [model.modalities, *alone] if len(alone) > 1 else [model.modalities]


def whole_runs(
    model: plait.Model, precision: str, rounds: int, arguments: Any
) -> list[harness.Row]:
    """Ours against the script, for every presence set; answers are checked equal first."""
    script = WholeModelScript(arguments.bundle, precision, arguments.threads)
    samples = raw_samples(model, arguments.seed)
    rows = []
    for present in presence_sets(model):
        given = {name: samples[name] if name in present else None for name in model.modalities}
        head = model.heads[0]

        def ours(given: dict[str, Any] = given, head: str = head) -> str | None:
            return model(**given)[head].label

        def peer(given: dict[str, Any] = given) -> str:
            return script(given)

        difference = np.abs(model(**given)[head].scores - script.scores(given)).max()
        if difference > 1e-4:
            raise SystemExit(f"the peer answers differently, by {difference}: not the same work")
        taken = harness.interleave({"ours": ours, "peer": peer}, rounds, arguments.seed)
        spread = taken["ours"]
        rows.append(
            harness.Row(
                name=f"run {precision}, {' + '.join(present)}",
                ours_ms=spread.median,
                peer="NumPy + onnxruntime session",
                peer_ms=taken["peer"].median,
                ratio=taken["peer"].median / spread.median,
                note=f"p10 {spread.p10:.4f}, p90 {spread.p90:.4f}; scores differ {difference:.0e}",
            )
        )
    return rows


def python_overhead(model: plait.Model, precision: str, rounds: int, seed: int) -> dict[str, Any]:
    """Microseconds of a call from Python above its graphs, and where they go."""
    samples = raw_samples(model, seed)
    head = model.heads[0]
    parts: dict[str, list[float]] = {
        "call": [],
        "core": [],
        "encode": [],
        "fuse": [],
        "prepare": [],
    }
    for _ in range(rounds):
        start = time.perf_counter_ns()
        result = model(**samples)
        _ = result[head].label
        parts["call"].append((time.perf_counter_ns() - start) / 1e3)
        timings = result.timings
        parts["core"].append(timings.total_ns / 1e3)
        parts["prepare"].append(sum(timings.prepare_ns.values()) / 1e3)
        parts["encode"].append(sum(timings.encode_ns.values()) / 1e3)
        parts["fuse"].append(sum(timings.fuse_ns.values()) / 1e3)
    call, core, encode, fuse, prepare = (np.asarray(parts[name]) for name in parts)
    return {
        "precision": precision,
        "call_us": float(np.median(call)),
        "above_graphs_us": float(np.median(call - encode - fuse)),
        "of_which_python_us": float(np.median(call - core)),
        "of_which_prepare_us": float(np.median(prepare)),
        "of_which_rest_of_core_us": float(np.median(core - prepare - encode - fuse)),
    }


def cpp_overhead(precision: str, rounds: int, arguments: Any) -> dict[str, Any] | None:
    """The same from C++, where graphs are also run bare beside the whole. None if not built."""
    if not OVERHEAD_PROGRAM.exists():
        return None
    library = plait.find_onnxruntime()
    environment = {**os.environ, "PLAIT_ONNXRUNTIME": str(library)} if library else None
    done = subprocess.run(
        [OVERHEAD_PROGRAM, arguments.bundle, precision, str(arguments.threads), str(rounds)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def import_times(rounds: int, seed: int) -> harness.Row:
    """Fresh interpreters, one a round and contestant; the bare interpreter's own start included."""
    calls = {
        name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True)
        for name, code in IMPORTS.items()
    }
    taken = harness.interleave(calls, rounds, seed, warm_up=2)
    ours, peer = (taken[name].median for name in IMPORTS)
    return harness.Row("import", ours, "import onnxruntime, numpy", peer, peer / ours)


def main() -> None:
    """Measures and reports."""
    arguments = harness.options(
        __doc__ or "", bundle="build/demo/watch.plait", threads=1, precision=None
    )
    if not Path(arguments.bundle).exists():
        raise SystemExit(f"no bundle at {arguments.bundle}: run `make demo` first, or say --bundle")
    rounds = 300 if arguments.quick else 3000
    rows: list[harness.Row] = []
    overheads: list[dict[str, Any]] = []
    variants = plait.Bundle(arguments.bundle).manifest["variants"]
    names = [arguments.precision] if arguments.precision else [v["precision"] for v in variants]
    for precision in names:
        model = plait.load(arguments.bundle, precision=precision, threads=arguments.threads)
        rows += whole_runs(model, precision, rounds, arguments)
        overheads.append(
            {
                "python": python_overhead(model, precision, rounds, arguments.seed),
                "cpp": cpp_overhead(precision, rounds, arguments),
            }
        )
    rows.append(import_times(5 if arguments.quick else 31, arguments.seed))
    harness.report(
        "python benchmarks/run_overhead.py",
        arguments,
        rows,
        threads=arguments.threads,
        rounds=rounds,
        overheads=overheads,
    )
    if arguments.json is None:
        for overhead in overheads:
            print(json.dumps(overhead))


if __name__ == "__main__":
    main()
