"""docs/export.md is tried: its script is exported, and its commands run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import plait

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_pages_script_and_commands_run(tmp_path: Path) -> None:
    (script,) = (block for block in blocks("python") if "def request(" in block)
    (tmp_path / "wrist.py").write_text(script)
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    assert [line.split()[1] for line in lines] == ["export", "inspect", "doctor"]
    # What these tests import is what the commands run, installed or not.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    for line in lines:
        done = subprocess.run(
            [sys.executable, "-m", "plait.cli", *shlex.split(line)[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    manifest = plait.load(tmp_path / "wrist.plait").manifest
    assert {variant["precision"] for variant in manifest["variants"]} == {"fp32", "int8"}
    assert manifest["lineage"]["script"] == "wrist.py"
