"""Every command in docs/cli.md runs as it stands there, and every exit code is the real one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from plait.cli.application import run
from plait.cli.outcome import ExitCode
from tests.cases.tiny_bundle import raw_recording

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
COMMANDS = re.findall(r"^\$ (plait .*)$", PAGE.read_text(), flags=re.MULTILINE)

SCRIPT = '''
"""The smallest script that exports something real."""

import numpy as np
import torch

from plait_export import Deployment, Embedding, Request, Signal


class First(torch.nn.Module):
    def forward(self, embedding, presence):
        return embedding * presence


def request(arguments):
    print("this is not JSON", arguments)
    torch.manual_seed(3)
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(10, 3))
    sensor = Signal(encoder=encoder, channels=2, rate_hz=10, window=5, unit="V", max_age_ms=500,
                    when_missing="refuse")
    deployment = Deployment(name="least", modalities={"sensor": sensor},
                            heads={"same": Embedding(First())})
    samples = [{"sensor": np.random.default_rng(i).normal(size=(5, 2))} for i in range(4)]
    return Request(deployment, samples, precisions=("fp32",))
'''


def write_graph(folder: Path) -> None:
    """A graph that pools rows, and inputs of two sizes."""
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ScatterND", ["plane", "cells", "rows"], ["y"], reduction="add")],
        "pool",
        [
            info("cells", onnx.TensorProto.INT64, ["rows", 1]),
            info("rows", onnx.TensorProto.FLOAT, ["rows", 3]),
        ],
        [info("y", onnx.TensorProto.FLOAT, [5, 3])],
        [onnx.numpy_helper.from_array(np.zeros((5, 3), np.float32), "plane")],
    )
    opset = [onnx.helper.make_opsetid("", 20)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "model.onnx"
    )
    for name, count in (("inputs", 7), ("small", 2), ("large", 90)):
        cells, rows = np.arange(count)[:, None] % 5, np.ones((count, 3), np.float32)
        np.savez(folder / f"{name}.npz", cells=cells, rows=rows)


@pytest.fixture
def folder(
    tiny_bundle: Path, tmp_path: Path, generator: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """Where the page's file names exist."""
    shutil.copy(tiny_bundle, tmp_path / "watch.plait")
    header = "t,acc_y,acc_x,acc_z"
    values = raw_recording(generator, "accelerometer", 200)
    rows = np.column_stack([np.arange(200) / 50, values])
    np.savetxt(tmp_path / "acc.csv", rows, delimiter=",", header=header, comments="")
    np.save(tmp_path / "gyro.npy", raw_recording(generator, "gyroscope", 200))
    (tmp_path / "watch.py").write_text(SCRIPT)
    write_graph(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLAIT_ENGINE_CACHE", str(tmp_path / "engines"))  # one command clears it
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    arguments = shlex.split(command)[1:]
    if arguments[0] == "run":
        arguments += ["--absent", "ecg"]  # which the page's bundle has not
    assert run(arguments) == 0
    out = capsys.readouterr().out
    assert out
    if "--json" in arguments:
        json.loads(out)
    if arguments[0] == "run":
        assert all(json.loads(line)["label"] for line in out.splitlines())
    if arguments[0] == "export":
        assert run(["doctor", "watch.plait"]) == 0


def test_the_page_lists_every_exit_code_and_no_other() -> None:
    table = PAGE.read_text().partition("## Exit codes")[2]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)] == list(
        ExitCode
    )
