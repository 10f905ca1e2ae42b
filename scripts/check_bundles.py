"""check_bundles: the zoo's bundles on a device: engines built, golden data replayed, calls timed.

    scripts/check_bundles.py DEVICE FOLDER [MODEL ...]

DEVICE as `plait doctor --device` takes it; with "tensorrt" the engines are built first. FOLDER is
for bundles and reports. JSON on stdout; exit status 1 where a step failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ZOO = Path(__file__).resolve().parents[1] / "export" / "plait_export" / "zoo"
# What scripts are told behind "--": random weights are judged by what they answer in float32.
MODELS: Mapping[str, Sequence[str]] = {
    "watch": ("--epochs", "20"),
    "scene": ("--agree",),
    "bev": ("--agree",),
}
FINE, NOT_RIGHT, BACKEND = 0, 1, 5


def plait(*arguments: str) -> tuple[int, dict[str, Any] | None]:
    """One command with --json: its exit code, and its answer where it gave one."""
    print(f"check_bundles: plait {' '.join(arguments)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "plait.cli", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return done.returncode, None
    return done.returncode, answer


def check(model: str, device: str, folder: Path) -> dict[str, Any]:
    """Everything for one model; ok says whether all of it was right."""
    bundle = folder / f"{model}.plait"
    row: dict[str, Any] = {"model": model, "device": device, "ok": False}
    script = str(ZOO / f"{model}.py")
    asked = ("--engines", "fp16,int8", "--json", "--", *MODELS[model])
    code, exported = plait("export", script, "-o", str(bundle), *asked)
    if code != FINE or exported is None:
        return {**row, "failed": "export", "exit_code": code}
    _, inspected = plait("inspect", str(bundle), "--json")
    variants = [] if inspected is None else inspected["manifest"]["variants"]
    precisions = [variant["precision"] for variant in variants]
    if device == "tensorrt":
        precisions = [p for p in precisions if "_tensorrt" in p]
        chosen = [word for p in precisions for word in ("--precision", p)]
        code, built = plait("build", str(bundle), *chosen, "--json")
        if built is None:
            return {**row, "failed": "build", "exit_code": code}
        # A portable graph that TensorRT can't parse leaves the other precisions to check.
        missing = {one["precision"] for one in built["failed"]}
        precisions = [p for p in precisions if p not in missing]
        row["build"] = built
    chosen = [word for p in precisions for word in ("--precision", p)]
    code, row["doctor"] = plait("doctor", str(bundle), "--device", device, *chosen, "--json")
    if code not in (FINE, NOT_RIGHT):
        return {**row, "failed": "doctor", "exit_code": code}
    timed, row["bench"] = plait("bench", str(bundle), "--device", device, *chosen, "--json")
    return {**row, "precisions": precisions, "ok": code == timed == FINE and bool(precisions)}


def main() -> int:
    """Checks the models named, all without; the exit status."""
    device, folder, *models = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    rows = [check(model, device, Path(folder)) for model in models or MODELS]
    print(json.dumps({"command": "scripts/check_bundles.py", "rows": rows}, indent=1))
    return FINE if all(row["ok"] for row in rows) else NOT_RIGHT


if __name__ == "__main__":
    sys.exit(main())
