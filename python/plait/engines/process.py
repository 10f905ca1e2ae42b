"""Runs one build in a process of its own, and tells why where nothing came of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plait.errors import BackendError

Progress = Callable[[str, int, int], None]  # (stage, steps done, steps)


def run_build(
    where: str, request: Mapping[str, Any], folder: Path, progress: Progress
) -> dict[str, Any]:
    """The worker's report. folder: for its files, the caller's to clean up.

    Raises BackendError with what the builder said, or how the process ended. An interrupt ends the
    worker too.
    """
    report = folder / "report.json"
    description = folder / "request.json"
    description.write_text(json.dumps({**request, "report": str(report)}))
    # Behind what the caller put there: where plait is installed, its folder holds everything else.
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), package)))
    with (
        open(folder / "stderr", "w+b") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "plait.engines.worker", str(description)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        ) as worker,
    ):
        try:
            assert worker.stdout is not None
            for line in worker.stdout:
                _pass_on(line, progress)
            worker.wait()
        except BaseException:
            worker.kill()
            raise
        stderr.seek(0)
        said = stderr.read().decode(errors="replace").strip()
    found = _read(report)
    if worker.returncode == 0 and found is not None:
        return found
    raise BackendError(
        where=where,
        expected="an engine",
        got=_reason(worker.returncode, found, said),
        action=_action(worker.returncode, found),
    )


def _pass_on(line: str, progress: Progress) -> None:
    """Lines that are not the worker's own are the builder's, for nobody."""
    try:
        told = json.loads(line)
        progress(str(told["stage"]), int(told["done"]), int(told["total"]))
    except (ValueError, KeyError, TypeError):
        return


def _read(report: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(report.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _reason(code: int, report: Mapping[str, Any] | None, said: str) -> str:
    if report is not None and report.get("problem"):
        return str(report["problem"])
    last = said.splitlines()[-1] if said else "nothing"
    if code < 0:
        return f"the builder was ended by {signal.Signals(-code).name}; it last said: {last}"
    return f"the builder ended with status {code} and without a report; it last said: {last}"


def _action(code: int, report: Mapping[str, Any] | None) -> str:
    if report is not None and "reduction" in str(report.get("problem")):
        return 'Export with engines=("fp16", "int8"): graphs made for engines have no such scatter.'
    if code == -signal.SIGKILL:
        return (
            "The kernel kills what runs out of memory: add swap on a disk, or stop other programs."
        )
    return ""
