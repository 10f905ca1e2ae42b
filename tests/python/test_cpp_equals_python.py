"""One core: the C++ example and Python answer every held-out window with the same bits."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import plait
from plait_export.zoo import watch

CPP_APP = Path(__file__).parents[2] / "build" / "examples" / "cpp_app" / "cpp_app"


@pytest.fixture(scope="module")
def held_out() -> dict[str, NDArray[np.float32]]:
    """All windows of the people of fold 0: modality -> [windows, window, channels]."""
    windows = watch.windows(watch.split(0).test)
    samples = [windows.sample(index) for index in range(len(windows))]
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def run_cpp_app(
    bundle: Path, folder: Path, windows: dict[str, NDArray[np.float32]], *arguments: str
) -> subprocess.CompletedProcess[str]:
    command = [str(CPP_APP), str(bundle), *arguments]
    for name, values in windows.items():
        values.astype("<f4").tofile(folder / f"{name}.f32")
        command += [f"--{name}", str(folder / f"{name}.f32")]
    environment = dict(os.environ)
    if library := plait.find_onnxruntime():
        environment["PLAIT_ONNXRUNTIME"] = str(library)
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("absent", [(), ("accelerometer",), ("gyroscope",)], ids=lambda a: f"{a}")
def test_cpp_equals_python_on_every_held_out_window(
    watch_bundle: Path,
    held_out: dict[str, NDArray[np.float32]],
    tmp_path: Path,
    precision: str,
    absent: tuple[str, ...],
) -> None:
    present = {name: values for name, values in held_out.items() if name not in absent}
    arguments = ["--precision", precision, "--out", str(tmp_path / "scores.f32")]
    for name in absent:
        arguments += ["--absent", name]
    done = run_cpp_app(watch_bundle, tmp_path, present, *arguments)
    assert done.returncode == 0, done.stderr
    model = plait.load(watch_bundle, precision=precision)
    count = len(held_out["accelerometer"])
    assert count > 300
    python = [
        model(**{name: None if name in absent else held_out[name][index] for name in held_out})[
            "exercise"
        ].scores
        for index in range(count)
    ]
    cpp = np.fromfile(tmp_path / "scores.f32", dtype="<f4").reshape(count, -1)
    assert np.stack([scores for scores in python if scores is not None]).tobytes() == cpp.tobytes()
    assert f"{count} windows, {precision}" in done.stdout


def test_cpp_app_ends_with_a_message_where_it_cannot_go_on(
    watch_bundle: Path, held_out: dict[str, NDArray[np.float32]], tmp_path: Path
) -> None:
    one = {"accelerometer": held_out["accelerometer"][:1]}
    for arguments, mention in (
        ((), "either --gyroscope FILE or --absent gyroscope"),
        (("--absent", "gyroscope", "--precision", "int3"), "int3"),
        (("--absent", "gyroscope", "--smell", "file"), "smell"),
    ):
        done = run_cpp_app(watch_bundle, tmp_path, one, *arguments)
        assert done.returncode == 1 and mention in done.stderr
    done = run_cpp_app(tmp_path / "missing.plait", tmp_path, one, "--absent", "gyroscope")
    assert done.returncode == 1 and "missing.plait" in done.stderr
