"""Fixtures of all Python suites."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest


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
