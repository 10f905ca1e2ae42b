"""`plait export SCRIPT.py` runs a script's request, and blames the script for its own mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

import plait
from plait_export import ExportError, script

WHOLE = """
from __future__ import annotations
from dataclasses import dataclass
import neighbour
import numpy as np
from plait_export import Classification, Deployment, Request, Signal
from tests.export.models import Encoder, Fusion, LABELS, signal

@dataclass
class Options:
    name: str

def request(arguments: list[str]) -> Request:
    options = Options(*arguments)
    deployment = Deployment(
        name=options.name,
        modalities={"motion": signal(Encoder(3, 4), 3, neighbour.WINDOW)},
        heads={"activity": Classification(Fusion((4,), 3), labels=LABELS)},
    )
    samples = [{"motion": np.ones((neighbour.WINDOW, 3), np.float32)}]
    return Request(deployment, samples, precisions=("fp32",))
"""


def test_a_script_is_run_with_its_arguments_and_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "neighbour.py").write_text("WINDOW = 23")
    file = tmp_path / "deploy.py"
    file.write_text(WHOLE)
    monkeypatch.chdir(tmp_path)
    stages: list[str] = []
    report = script.run(file, None, ["gym"], lambda stage, done, total: stages.append(stage))
    assert report.path == "gym.plait"
    assert list(dict.fromkeys(stages)) == ["trace", "parity", "choose", "golden", "write"]
    model = plait.load(tmp_path / "gym.plait")
    assert model.manifest["modalities"][0]["signal"]["window"] == 23


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("x = 1", plait.ConfigError, "a function request"),
        ("request = 3", plait.ConfigError, "a function request"),
        (
            "def request(arguments): return {}",
            plait.ConfigError,
            "a plait_export.Request, got dict",
        ),
        ("import no_such_module", ExportError, "line 1: expected a script .* ModuleNotFoundError"),
        ("def request(arguments):\n    return 1 / 0", ExportError, "line 2: .* ZeroDivisionError"),
        ("def request(: pass", ExportError, "SyntaxError"),
        (
            "import plait\ndef request(arguments):\n"
            "    raise plait.ConfigError(where='a', expected='b', got='c', action='d')",
            plait.ConfigError,
            "a: expected b, got c",
        ),
    ],
)
def test_a_wrong_script_is_refused(
    tmp_path: Path, text: str, error: type[plait.Error], words: str
) -> None:
    file = tmp_path / "deploy.py"
    file.write_text(text)
    with pytest.raises(error, match=words):
        script.run(file, tmp_path / "some.plait")
    assert list(tmp_path.glob("*.plait")) == []


def test_a_file_that_is_no_script_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deploy.txt").write_text("request = 1")
    for name, words in (("no.py", "no such file"), (".", "a folder"), ("deploy.txt", "'.txt'")):
        with pytest.raises(plait.ConfigError, match=words):
            script.run(tmp_path / name)
