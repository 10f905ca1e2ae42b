"""`plait` as a process of its own: what is missing, what goes away, and what stays clean."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def spawn(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """`plait ARGUMENTS` in a process of its own, which takes interrupts."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.update(options.pop("variables", {}))
    command = [sys.executable, "-m", "plait.cli", *map(str, arguments)]
    # Shells start background jobs with SIGINT ignored, and children would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            **options,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_missing_onnxruntime_is_a_backend_error(
    tiny_bundle: Path, recordings: dict[str, Path]
) -> None:
    sample = ["--sample", f"accelerometer={recordings['accelerometer']}"]
    absent = ["--absent", "gyroscope", "--absent", "ecg"]
    for arguments in (["doctor"], ["doctor", tiny_bundle], ["run", tiny_bundle, *sample, *absent]):
        process = spawn(*arguments, variables={"PLAIT_ONNXRUNTIME": "/none/libonnxruntime.so"})
        out, err = process.communicate(timeout=60)
        assert process.returncode == 5, err
        assert "/none/libonnxruntime.so" in out + err


def test_import_plait_does_not_import_the_command_lines_packages() -> None:
    program = (
        "import sys, plait; "
        "print([m for m in ('typer', 'rich', 'torch', 'onnxruntime') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_a_missing_package_is_named(tmp_path: Path, package: str) -> None:
    (tmp_path / f"{package}.py").write_text("raise ModuleNotFoundError(name=__name__)")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = spawn("version", variables={"PYTHONPATH": path})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert f"{package} is missing" in err
    assert "pip install" in err


def test_a_missing_exporter_is_named(tmp_path: Path) -> None:
    (tmp_path / "plait_export.py").write_text("import torch_that_is_not_there")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = spawn("export", "script.py", variables={"PYTHONPATH": path})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "plait[export]" in err


def test_a_closed_pipe_ends_a_run_without_a_word(tiny_bundle: Path, tmp_path: Path) -> None:
    # More lines than any pipe buffers.
    np.save(tmp_path / "long.npy", np.zeros((2000, 3), np.float32))
    process = spawn(
        "run", tiny_bundle, "--sample", f"accelerometer={tmp_path / 'long.npy'}",
        "--absent", "gyroscope", "--absent", "ecg", "--hop", "1",
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["window"] == 0
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), err) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_of_its_own(tiny_bundle: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "plait.cli", "inspect", str(tiny_bundle), "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert done.returncode == 74
    assert done.stderr.splitlines() == ["error: input/output: No space left on device"]


def test_a_progress_bar_on_a_terminal_leaves_stdout_alone(
    tiny_bundle: Path, recordings: dict[str, Path]
) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    command = [sys.executable, "-m", "plait.cli", "run", str(tiny_bundle), "--hop", "1"]
    command += ["--sample", f"ecg={recordings['ecg']}", "--absent", "accelerometer"]
    done = subprocess.run(
        [*command, "--absent", "gyroscope"],
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
        check=False,
    )
    os.close(slave)
    shown = os.read(master, 1 << 16)
    os.close(master)
    assert done.returncode == 0, shown.decode()
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 900
    assert b"windows" in shown


def test_an_interrupt_ends_a_run_without_a_traceback(tiny_bundle: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.zeros((2000, 3), np.float32))
    process = spawn(
        "run", tiny_bundle, "--sample", f"accelerometer={tmp_path / 'long.npy'}",
        "--absent", "gyroscope", "--absent", "ecg", "--hop", "1",
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    # It now waits for its pipe to be read on, or works: either way in the middle.
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted" in err
