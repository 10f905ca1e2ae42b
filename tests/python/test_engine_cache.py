"""The engine cache from Python: keys, locks between processes, and `plait cache`."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait
from plait.cli.application import run
from plait.engine_cache import EngineCache, EngineKey

FIELDS = {
    "graph_sha256": hashlib.sha256(b"graph").hexdigest(),
    "precision": "int8_tensorrt",
    "profiles": {"image": [[1, 3, 8, 8], [1, 3, 8, 8], [4, 3, 8, 8]]},
    "tensorrt": "10.14.1.48",
    "device": "Orin",
    "compute_capability": "8.7",
    "driver": "36.4.3",
    "plugins": "",
}


def key_of(**fields: Any) -> EngineKey:
    text = {**FIELDS, **fields}
    return EngineKey(**{**text, "profiles": json.dumps(text["profiles"])})


def build_once(folder: str, log: str, barrier: Any) -> None:
    """What a builder does: a line in the log is a build."""
    cache, key = EngineCache(folder), key_of()
    barrier.wait()
    with cache.lock(key):
        if cache.find(key)[0] is None:
            with open(log, "a") as lines:
                lines.write("built\n")
            cache.store(key, b"engine", "{}")


def test_a_name_is_the_hash_of_the_keys_sorted_json() -> None:
    profiles = json.dumps(FIELDS["profiles"], sort_keys=True, separators=(",", ":"))
    text = json.dumps({**FIELDS, "profiles": profiles}, sort_keys=True, separators=(",", ":"))
    assert key_of().hex() == hashlib.sha256(text.encode()).hexdigest()
    assert key_of(device="\u00b5").hex() != key_of().hex()


def test_a_plan_comes_back_and_outlives_its_cache(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    plan = generator.bytes(int(generator.integers(1, 20_000)))
    name = EngineCache(tmp_path).store(key_of(), memoryview(plan), '{"seconds": 2}')
    engine, why_not = EngineCache(tmp_path).find(key_of())
    assert engine is not None and why_not == ""
    view = engine.plan()
    assert json.loads(engine.report()) == {"seconds": 2}
    del engine
    (tmp_path / f"{name}.plan").unlink()
    assert view.readonly and bytes(view) == plan


def test_builders_that_start_together_build_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    count = 3
    barrier = context.Barrier(count)
    builders = [
        context.Process(target=build_once, args=(str(tmp_path / "cache"), str(log), barrier))
        for _ in range(count)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert [builder.exitcode for builder in builders] == [0] * count
    assert log.read_text() == "built\n"


def test_waiting_for_a_lock_can_be_interrupted(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        raise InterruptedError("enough")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with cache.lock(key_of()), pytest.raises(InterruptedError, match="enough"):
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            cache.lock(key_of())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert cache.lock(key_of(), wait=False) is not None


def test_what_can_t_be_stored_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(plait.BackendError, match="PLAIT_ENGINE_CACHE"):
        EngineCache(tmp_path / "file").store(key_of(), b"plan", "{}")
    with pytest.raises(plait.ConfigError, match="PLAIT_ENGINE_CACHE_LIMIT"):
        EngineCache(tmp_path, 3).store(key_of(), b"plan", "{}")
    with pytest.raises(plait.ConfigError, match="one JSON object"):
        EngineCache(tmp_path).store(key_of(), b"plan", "[]")
    with pytest.raises(plait.ConfigError, match="graph_sha256"):
        EngineCache(tmp_path).find(key_of(graph_sha256="abc"))
    with pytest.raises(TypeError):
        EngineCache(tmp_path).store(key_of(), "text", "{}")


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"PLAIT_ENGINE_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/plait/engines"),
        ({"PLAIT_ENGINE_CACHE": "", "HOME": "/c"}, "/c/.cache/plait/engines"),
    ],
)
def test_the_folder_is_the_first_that_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    for name in ("PLAIT_ENGINE_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(plait.ConfigError, match="Set PLAIT_ENGINE_CACHE"):
        EngineCache()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert EngineCache().folder() == folder


def test_the_commands_list_check_and_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLAIT_ENGINE_CACHE", str(tmp_path / "none yet"))
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["cache", "ls"]) == 0
    assert capsys.readouterr().out.startswith("0 engines")
    assert run(["cache", "ls", "--cache", str(tmp_path / "other"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(tmp_path / "other")

    monkeypatch.setenv("PLAIT_ENGINE_CACHE", str(tmp_path))
    cache = EngineCache()
    whole = cache.store(key_of(), b"plan", '{"seconds": 2}')
    altered = cache.store(key_of(device="Thor"), b"plan", "{}")
    lost = cache.store(key_of(device=""), b"plan", "{}")

    assert run(["cache", "ls", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["folder"] == str(tmp_path) and listed["bytes"] == 12
    engines = {engine["name"]: engine for engine in listed["engines"]}
    assert engines[whole]["key"] == FIELDS
    assert engines[whole]["report"] == {"seconds": 2}
    assert engines[whole]["problem"] is None
    assert run(["cache", "ls"]) == 0
    out = capsys.readouterr().out
    for said in (whole[:12], "Orin (8.7)", "int8_tensorrt", "10.14.1.48", "3 engines, 12 B"):
        assert said in out
    assert run(["cache", "verify"]) == 0
    capsys.readouterr()

    (tmp_path / f"{altered}.plan").write_bytes(b"plaN")
    (tmp_path / f"{lost}.json").unlink()
    assert run(["cache", "verify", "--json"]) == 1
    verified = json.loads(capsys.readouterr().out)
    assert not verified["ok"]
    problems = {engine["name"]: engine["problem"] for engine in verified["engines"]}
    assert problems[whole] is None and "altered" in problems[altered] and problems[lost]
    assert run(["cache", "verify"]) == 1
    assert "plait cache clear --damaged" in capsys.readouterr().out

    assert run(["cache", "clear", "--damaged", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] == 2
    held = cache.find(key_of())[0]
    assert held is not None
    assert run(["cache", "clear"]) == 0
    assert "left 1, which a process runs" in capsys.readouterr().out
    del held
    assert run(["cache", "clear"]) == 0
    assert "deleted 1 engines" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.plan"))
