"""Fixtures of all Python suites."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def captions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Any]:
    """tests/cases/caption_bundle.py: the case, its bundle in fp32 and int8, and the report. Never
    write to it."""
    from plait_export import agreement, quantize, variants  # takes seconds: torch
    from tests.cases import caption_bundle

    case = caption_bundle.captioner(seed=5)
    path = tmp_path_factory.mktemp("captions") / "captions.plait"
    gate = agreement(case.deployment, caption_bundle.samples(6, seed=8), max_drop=1.0)
    with pytest.MonkeyPatch.context() as patch:  # one scheme: all of them take a minute
        only = tuple(s for s in quantize.SCHEMES if s.name == "dynamic-u8u8-matmul")
        patch.setattr(variants, "SCHEMES", only)
        return case, path, caption_bundle.export_captions(case, path, 7, gate=gate)


@pytest.fixture(scope="session")
def watch_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smartwatch model, fold 0, hardly trained, in fp32 and int8, and for engines. Never write
    to it."""
    from plait_export import export_request  # takes seconds: torch
    from plait_export.zoo import watch

    path = tmp_path_factory.mktemp("watch") / "watch.plait"
    request = watch.request(["--fold", "0", "--epochs", "2", "--seed", "3"])
    export_request(replace(request, engines=("fp16", "int8")), path)
    return path
