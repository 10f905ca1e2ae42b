"""Fixtures of all Python suites."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def watch_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smartwatch model, fold 0, hardly trained, in fp32 and int8. Never write to it."""
    import torch  # takes seconds

    from plait_export import export_request
    from plait_export.zoo import watch

    path = tmp_path_factory.mktemp("watch") / "watch.plait"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the weights depend on it, and tests train the same network again
    try:
        export_request(watch.request(["--fold", "0", "--epochs", "2", "--seed", "3"]), path)
    finally:
        torch.set_num_threads(threads)
    return path
