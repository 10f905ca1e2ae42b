"""Builds a bundle's engines into the cache, one after the other, and none a second time."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plait import _core
from plait.bundle import Bundle
from plait.engines import plugins
from plait.engines.device import ELSEWHERE, Device, find_device
from plait.engines.jobs import Batch, Job, jobs_of
from plait.engines.memory import available_bytes, check_memory, needed_bytes
from plait.engines.process import Progress, run_build
from plait.engines.tensorrt import TensorRT, capability, open_tensorrt
from plait.errors import BackendError, ConfigError


@dataclass(frozen=True)
class Options:
    """How to build. targets: of TensorRT-RTX, "sm86"; of TensorRT none. batch: smallest, most
    frequent, largest. max_memory: bytes a build may take; None: what is available. build: False to
    refuse where an engine is missing. cache: its folder; None: the user's."""

    backend: str = "tensorrt"
    targets: Sequence[str] = ()
    precisions: Sequence[str] | None = None
    batch: Batch = (1, 1, 1)
    max_memory: int | None = None
    build: bool = True
    cache: Path | None = None


@dataclass(frozen=True)
class Built:
    """One engine. cached: it was there already. report: of the build that made it."""

    graph: str
    precision: str
    key: str
    plan: str
    bytes: int
    cached: bool
    report: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return asdict(self)


def build_engines(
    path: str | Path, options: Options, progress: Callable[[str, int, int], None] | None = None
) -> list[Built]:
    """Every engine that the options name, in the order of the bundle. Those that are done stay
    where a later one fails, so that a second call goes on there.

    Raises ConfigError, BundleError, and BackendError for what can't be built, with the reason.
    """
    bundle = Bundle(path)
    tensorrt = open_tensorrt(options.backend)
    targets = tensorrt.targets(options.targets)
    jobs = jobs_of(bundle, options.precisions, options.batch)
    for job in jobs:
        _refuse_operators(bundle, job, tensorrt)
    device = ELSEWHERE if tensorrt.ahead_of_time else find_device()
    builder = _Builder(bundle, tensorrt, targets, device, options)
    return list(builder.run(jobs, progress or (lambda stage, done, total: None)))


class _Builder:
    def __init__(
        self,
        bundle: Bundle,
        tensorrt: TensorRT,
        targets: list[str],
        device: Device,
        options: Options,
    ) -> None:
        self._bundle = bundle
        self._tensorrt = tensorrt
        self._targets = targets
        self._device = device
        self._options = options
        self._cache = _core.EngineCache(options.cache)

    def run(self, jobs: Sequence[Job], progress: Progress) -> Iterator[Built]:
        for done, job in enumerate(jobs):
            progress("engines", done, len(jobs))
            yield self._one(job, progress)
        progress("engines", len(jobs), len(jobs))

    def _key(self, job: Job) -> _core.EngineKey:
        capabilities = ",".join(capability(target) for target in self._targets)
        return _core.EngineKey(
            graph_sha256=job.sha256,
            precision=job.precision,
            profiles=job.profiles_json,
            tensorrt=self._tensorrt.version,
            device=self._device.name,
            compute_capability=capabilities or self._device.compute_capability,
            driver=self._device.driver,
            plugins=plugins.abi() if job.fused else "",
        )

    def _one(self, job: Job, progress: Progress) -> Built:
        key = self._key(job)
        found, why_not = self._cache.find(key)
        if found is None:
            if not self._options.build:
                raise BackendError(
                    where=f"{self._bundle.name}, {job.name}",
                    expected="an engine in the cache",
                    got=why_not,
                    action="Leave --no-build out.",
                )
            # Whoever else builds the same meanwhile is waited for, and then has done it.
            with self._cache.lock(key):
                found, _ = self._cache.find(key)
                if found is None:
                    self._build(job, key, progress)
                    return self._described(job, key, cached=False)
        return self._described(job, key, cached=True)

    def _described(self, job: Job, key: _core.EngineKey, cached: bool) -> Built:
        found, why_not = self._cache.find(key)
        if found is None:
            raise BackendError(
                where=f"{self._bundle.name}, {job.name}",
                expected="the engine that was just built in the cache",
                got=why_not,
                action="Is the cache larger than its limit? plait cache ls tells.",
            )
        plan = Path(self._cache.folder()) / f"{key.hex()}.plan"
        return Built(
            graph=job.graph,
            precision=job.precision,
            key=key.hex(),
            plan=str(plan),
            bytes=len(found.plan()),
            cached=cached,
            report=json.loads(found.report()),
        )

    def _build(self, job: Job, key: _core.EngineKey, progress: Progress) -> None:
        where = f"{self._bundle.name}, {job.name}"
        past = [json.loads(e.report()) for e in self._cache.entries() if not e.problem]
        needed = needed_bytes(job.sha256, job.bytes, past)
        check_memory(where, needed, self._options.max_memory, available_bytes())
        with tempfile.TemporaryDirectory(prefix="plait-build-") as name:
            folder = Path(name)
            graph = folder / "graph.onnx"
            graph.write_bytes(self._bundle.read(job.member))
            plan = folder / "engine.plan"
            request = {
                "backend": self._tensorrt.backend,
                "graph": str(graph),
                "plan": str(plan),
                "profiles": job.profiles,
                "targets": self._targets,
                "workspace": self._options.max_memory,
                "timing_cache": self._timing_cache(),
                "plugins": plugins.library() if job.fused else None,
            }
            report = run_build(where, request, folder, progress)
            described = {
                **report,
                "bundle": self._bundle.name,
                "graph": job.graph,
                "graph_sha256": job.sha256,
                "precision": job.precision,
                "targets": self._targets,
                "estimated_bytes": needed,
                "kept_fp32": list(job.kept_fp32),
            }
            self._cache.store(key, plan.read_bytes(), json.dumps(described))

    def _timing_cache(self) -> str | None:
        """A file of this builder and GPU; what TensorRT measured for one engine serves the next."""
        if self._tensorrt.ahead_of_time:
            return None
        parts = (self._tensorrt.version, self._device.name, self._device.compute_capability)
        name = "-".join(part.replace(" ", "_").replace("/", "_") for part in parts)
        return str(Path(self._cache.folder()) / f"{name}.timing")


def _refuse_operators(bundle: Bundle, job: Job, tensorrt: TensorRT) -> None:
    """Before the parser sees them: it ends the process at a node of a domain that it knows only by
    a plugin's name."""
    domains = _domains(bundle.read(job.member))
    foreign = sorted(domains - {"", "ai.onnx"})
    if not foreign or (foreign == ["ai.plait"] and not tensorrt.ahead_of_time):
        return
    portable = [
        variant["precision"]
        for variant in bundle.manifest["variants"]
        if variant["form"] == "portable"
        and variant["precision"] == job.precision.removesuffix("_fused")
    ]
    raise ConfigError(
        where=f"{bundle.name}, {job.name}",
        expected="standard ONNX operators only, which is what this builder parses",
        got=f"operators of {', '.join(foreign)}",
        action=f"Build precision {portable[0]}." if portable else "Export a portable form.",
    )


def _domains(model: memoryview) -> set[str]:
    try:
        import onnx
    except ImportError as error:
        raise ConfigError(
            where="plait build",
            expected="the package onnx, to look into graphs before they are parsed",
            got=str(error),
            action="Install it: pip install 'plait[engines]'.",
        ) from error
    graphs = [onnx.load_model_from_string(bytes(model)).graph]
    domains = set()
    for graph in graphs:
        for node in graph.node:
            domains.add(str(node.domain))
            for attribute in node.attribute:
                graphs.extend((attribute.g, *attribute.graphs))
    return domains
