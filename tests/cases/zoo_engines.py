"""Engines of a bundle's FP16 and INT8 graphs for three GPUs, ahead of time, by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plait.cli.application import run

PRECISIONS = ("fp16_tensorrt", "int8_tensorrt")


def build_for_three(
    bundle: Path, cache: Path, capsys: pytest.CaptureFixture[str], code: int = 0
) -> dict[str, Any]:
    """What the command answers as JSON. code: its exit code."""
    pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is built for x86-64 only")
    precisions = [word for name in PRECISIONS for word in ("--precision", name)]
    targets = ["--backend", "tensorrt-rtx", "--targets", "sm86,sm89,sm120"]
    arguments = ["build", str(bundle), *targets, *precisions, "--cache", str(cache), "--json"]
    assert run(arguments) == code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    for one in answer["engines"]:
        assert one["report"]["targets"] == ["SM86", "SM89", "SM120"]
        assert Path(one["plan"]).stat().st_size == one["bytes"] > 0
        assert one["report"]["layers"]["count"] > 0
    return answer
