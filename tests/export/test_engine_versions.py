"""TensorRT 10 and 11 on a device, by a recorder in their place: what differs between them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import plait
from plait import _core
from plait.bundle import Bundle
from plait.engine_cache import EngineCache
from plait.engines import Engines, Options, build_engines
from plait.engines import build as building


@pytest.fixture
def bundle(engine_bundle: Path) -> Path:
    return engine_bundle


@pytest.fixture(autouse=True)
def forget_recorder() -> Iterator[None]:
    """No later test finds a recorder among the modules."""
    yield
    sys.modules.pop("tensorrt", None)


RECORDER = '''
"""What the builder of TensorRT {version} offers, as far as it is used, and what it is told."""
import enum, json, os

__version__ = "{version}"
_told = []

def _tell(*what):
    _told.append(what)
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps(what) + "\\n")

class ILogger:
    def __init__(self): pass

class ProfilingVerbosity:
    DETAILED = "detailed"

class MemoryPoolType:
    WORKSPACE = "workspace"

class NetworkDefinitionCreationFlag:
    {flags}

class _Input:
    name = None

class _Network:
    def __init__(self): self.inputs = []
    @property
    def num_inputs(self): return len(self.inputs)
    def get_input(self, index):
        value = _Input(); value.name = self.inputs[index]; return value

class _Profile:
    def set_shape(self, name, *shapes): _tell("shape", name, shapes)

class _TimingCache:
    def __init__(self, data): self.data = bytes(data)
    def serialize(self): return self.data + b"+"

class _Config:
    def set_memory_pool_limit(self, pool, size): _tell("limit", pool, size)
    def create_timing_cache(self, data): return _TimingCache(data)
    def set_timing_cache(self, cache, mismatch):
        self.cache = cache
        _tell("timings", cache.data.decode(), mismatch)
        return True
    def get_timing_cache(self): return self.cache
    def add_optimization_profile(self, profile): return 0

class _Plan(bytes):
    @property
    def nbytes(self): return len(self)

class Builder:
    def __init__(self, logger): self.logger = logger
    def create_network(self, flags):
        _tell("network", flags)
        return _Network()
    def create_builder_config(self): return _Config()
    def create_optimization_profile(self): return _Profile()
    def build_serialized_network(self, network, config):
        self.logger.log("Severity.{severity}", "said while building")
        return _Plan(b"plan of " + json.dumps(network.inputs).encode())

class OnnxParser:
    num_errors = 0
    def __init__(self, network, logger): self.network = network
    def parse_from_file(self, path):
        import onnx
        self.network.inputs = [value.name for value in onnx.load(path).graph.input]
        return True
'''


def on_device(
    bundle: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, **recorder: str
) -> tuple[Engines, list[list[Any]]]:
    """Builds with a recorder in TensorRT's place: the engines, and what the builder was told."""
    record = install(folder, monkeypatch, **recorder)
    engines = build_engines(bundle, Options("tensorrt", max_memory=2**31, cache=folder / "cache"))
    return engines, [json.loads(line) for line in record.read_text().splitlines()]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **recorder: str) -> Path:
    """Puts a recorder in TensorRT's place; the file that it writes."""
    package = folder / "package"
    package.mkdir(parents=True)
    (package / "tensorrt.py").write_text(
        RECORDER.replace("{version}", recorder["version"])
        .replace("{flags}", recorder.get("flags", "STRONGLY_TYPED = 1"))
        .replace("{severity}", recorder.get("severity", "VERBOSE"))
    )
    record = folder / "record"
    record.write_text("")
    monkeypatch.setenv("RECORD", str(record))
    monkeypatch.setenv("PYTHONPATH", str(package))
    monkeypatch.syspath_prepend(str(package))
    sys.modules.pop("tensorrt", None)
    platform = {
        "tensorrt": f"{recorder['version']}.1",
        "device": "Orin",
        "compute_capability": "8.7",
        "driver": "12.6 R36.4.3",
        "plugins": "",
    }
    # Of libnvinfer and CUDA, which are not here; the runtime's own suite has stand-ins for them.
    monkeypatch.setattr(building, "_platform", lambda *_, **__: platform)
    return record


@pytest.mark.parametrize(
    ("version", "network"),
    [("10.3.0", ("EXPLICIT_BATCH, STRONGLY_TYPED = 0, 1", 2)), ("11.1.0", ("pass", 0))],
)
def test_versions_differ_in_how_a_typed_network_is_asked_for_only(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    network: tuple[str, int],
) -> None:
    flags, asked = network
    engines, told = on_device(bundle, tmp_path, monkeypatch, version=version, flags=flags)
    assert {one.report["tensorrt"] for one in engines.built} == {version}
    assert {what[1] for what in told if what[0] == "network"} == {asked}
    shapes = [what for what in told if what[0] == "shape" and what[1] == "presence"]
    assert shapes[0][2] == [[1, 2]] * 3
    assert ["limit", "workspace", 2**31] in told
    # What was measured for one engine is given to the next.
    timings = [what[1] for what in told if what[0] == "timings"]
    assert timings == ["+" * done for done in range(len(engines.built))]
    assert Path(engines.built[0].plan).read_bytes().startswith(b"plan of")


def test_an_error_that_is_only_logged_ends_a_build(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines, _ = on_device(bundle, tmp_path, monkeypatch, version="10.3.0", severity="ERROR")
    assert not engines.built
    assert all("said while building" in failure.problem for failure in engines.failed)
    assert not list((tmp_path / "cache").glob("*.plan"))


def test_a_version_that_is_too_old_is_refused(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(plait.BackendError, match="8.6.1"):
        on_device(bundle, tmp_path, monkeypatch, version="8.6.1")


class Core:
    """The core's model as far as loading goes: it wants an engine for each graph, and runs none."""

    def __init__(self, **options: Any) -> None:
        manifest = Bundle(options["path"]).manifest
        wanted = options["precision"] or "fp16_tensorrt"
        (variant,) = (v for v in manifest["variants"] if v["precision"] == wanted)
        entries = EngineCache(options["engine_cache"]).entries()
        built = {key.graph_sha256 for entry in entries if (key := entry.key()) is not None}
        for member in variant["members"].values():
            if manifest["members"][member]["sha256"] not in built:
                raise plait.BackendError(
                    where=member, expected="an engine", got="none", action="Build it here."
                )


def load(bundle: Path, cache: Path, **options: Any) -> plait.Model:
    return plait.load(bundle, device="tensorrt", engine_cache=cache, **options)


@pytest.mark.parametrize("precision", [None, "int8_tensorrt"])
def test_loading_builds_what_is_missing_where_that_is_asked_for(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str | None
) -> None:
    cache = tmp_path / "cache"
    install(tmp_path, monkeypatch, version="10.3.0")
    monkeypatch.setattr(_core, "Model", Core)
    with pytest.raises(plait.BackendError, match="Build it here"):
        load(bundle, cache, precision=precision)
    load(bundle, cache, precision=precision, build=True)
    keys = [entry.key() for entry in EngineCache(cache).entries()]
    assert {key and key.precision for key in keys} == {precision or "fp16_tensorrt"}
    # What is there needs no builder.
    (tmp_path / "package" / "tensorrt.py").unlink()
    sys.modules.pop("tensorrt", None)
    load(bundle, cache, precision=precision, build=True)


def test_loading_tells_why_it_can_t_build(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_core, "Model", Core)
    with pytest.raises(plait.BackendError, match="the Python package tensorrt.*JetPack"):
        load(bundle, tmp_path, build=True)
    with pytest.raises(plait.ConfigError, match="device 'tensorrt'"):
        plait.load(bundle, build=True)
    install(tmp_path, monkeypatch, version="10.3.0", severity="ERROR")
    with pytest.raises(plait.BackendError, match="said while building"):
        load(bundle, tmp_path / "cache", build=True)
