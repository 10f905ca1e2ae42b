"""Docs are tried: the README's and the deployment page's snippets and commands run as written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/deploy.md", "docs/cli.md", "docs/export.md")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    text = (ROOT / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def folder(watch_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the bundle where the docs expect it."""
    for place in ("watch.plait", "build/demo/watch.plait"):
        target = tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(watch_bundle, target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/deploy.md"])
def test_python_snippets_that_load_a_bundle_run(folder: Path, page: str) -> None:
    snippets = [block for block in blocks(page, "python") if "plait.load" in block]
    assert snippets
    for snippet in snippets:
        names: dict[str, Any] = {"window": np.zeros((200, 3), np.float32)}
        exec(compile(snippet, page, "exec"), names)  # the page's own words
        assert names["answer"]["exercise"].label
        assert names["answer"].presence == {"accelerometer": "fresh", "gyroscope": "absent"}


@pytest.mark.parametrize("page", ["README.md", "docs/deploy.md"])
def test_cpp_snippets_compile_and_run(folder: Path, page: str) -> None:
    snippets = [block for block in blocks(page, "cpp") if "Model::load" in block]
    assert snippets
    include = "#include <plait/plait.hpp>\n"
    for snippet in snippets:
        body = snippet.replace(include, "")
        program = (
            f"#include <iostream>\n{include}int main() {{\n"
            f"const float data[200 * 3] = {{}};\n{body}return 0;\n}}\n"
        )
        (folder / "main.cpp").write_text(program)
        package = Path(plait.cmake_dir()).parents[2]
        library = package / "lib"
        command = ["g++", "-std=c++20", "main.cpp", "-o", "main", f"-I{package / 'include'}"]
        command += [f"-L{library}", "-lplait", f"-Wl,-rpath,{library}"]
        subprocess.run(command, check=True)
        environment = {**os.environ, "PLAIT_ONNXRUNTIME": str(plait.find_onnxruntime())}
        subprocess.run(["./main"], check=True, capture_output=True, env=environment)


def plait_commands() -> list[str]:
    """Every `plait ...` line of the pages that needs nothing but the demo's bundle."""
    lines = [
        line.split("#")[0].strip()
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.splitlines()
    ]
    return sorted(
        {line for line in lines if re.match(r"plait \w+ (build/demo/)?watch\.plait", line)}
    )


@pytest.mark.parametrize("command", plait_commands())
def test_commands_of_the_docs_run(folder: Path, command: str) -> None:
    generator = np.random.default_rng(0)
    for name in ("accelerometer", "gyroscope", "acc", "gyr"):
        recording = generator.standard_normal((500, 3)).astype(np.float32)
        np.save(folder / f"{name}.npy", recording)
        header = "x,y,z"
        np.savetxt(folder / f"{name}.csv", recording, delimiter=",", header=header, comments="")
    words = shlex.split(command)
    assert words[0] == "plait"
    done = subprocess.run(
        [sys.executable, "-m", "plait.cli", *words[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_every_make_target_of_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / page).read_text()))
        assert named <= targets, f"{page} names {named - targets}"


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
