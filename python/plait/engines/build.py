"""Builds a bundle's engines into the cache, one after the other, and none a second time."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plait import _core
from plait.bundle import Bundle
from plait.engines.jobs import Batch, Job, jobs_of
from plait.engines.memory import available_bytes, check_memory, needed_bytes
from plait.engines.plugins import plugin_library
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


@dataclass(frozen=True)
class Failure:
    """One graph that became no engine, and why."""

    graph: str
    precision: str
    problem: str


@dataclass(frozen=True)
class Engines:
    """What came of a build, both in the order of the bundle."""

    built: tuple[Built, ...]
    failed: tuple[Failure, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return {
            "engines": [one.to_json() for one in self.built],
            "failed": [asdict(one) for one in self.failed],
        }


def build_engines(
    path: str | Path, options: Options, progress: Callable[[str, int, int], None] | None = None
) -> Engines:
    """Every engine that the options name. One that can't be built does not stop the others.

    Raises ConfigError and BundleError, and BackendError where there is no builder or no GPU.
    """
    bundle = Bundle(path)
    tensorrt = open_tensorrt(options.backend)
    targets = tensorrt.targets(options.targets)
    jobs = jobs_of(bundle, options.precisions, options.batch)
    for job in jobs:
        _refuse_operators(bundle, job, tensorrt)
    platform = _platform(tensorrt, targets, with_plugins=any(job.fused for job in jobs))
    builder = _Builder(bundle, tensorrt, targets, platform, options)
    return builder.run(jobs, progress or (lambda stage, done, total: None))


def build_to_load(
    path: str | os.PathLike[str],
    precision: str | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> None:
    """The engines that plait.load(path, "tensorrt", precision, engine_cache=cache) looks for.

    Raises as build_engines, and BackendError where one can't be built.
    """
    bundle = Bundle(Path(path))
    made = [v["precision"] for v in bundle.manifest["variants"] if v.get("target") == "tensorrt"]
    chosen = precision or (made[0] if made else str(bundle.manifest["default_precision"]))
    folder = Path(cache) if cache else None
    engines = build_engines(Path(path), Options(precisions=[chosen], cache=folder))
    if engines.failed:
        names = ", ".join(failure.graph for failure in engines.failed)
        raise BackendError(
            where=f"{bundle.name}, {chosen}",
            expected="engines of all its graphs",
            got=f"none of {names}: {engines.failed[0].problem}",
            action="",
        )


class _Builder:
    def __init__(
        self,
        bundle: Bundle,
        tensorrt: TensorRT,
        targets: list[str],
        platform: Mapping[str, str],
        options: Options,
    ) -> None:
        self._bundle = bundle
        self._tensorrt = tensorrt
        self._targets = targets
        self._platform = platform
        self._options = options
        self._cache = _core.EngineCache(options.cache)

    def run(self, jobs: Sequence[Job], progress: Progress) -> Engines:
        built: list[Built] = []
        failed: list[Failure] = []
        for done, job in enumerate(jobs):
            progress("engines", done, len(jobs))
            try:
                built.append(self._one(job, progress))
            except BackendError as error:
                failed.append(Failure(job.graph, job.precision, str(error)))
        progress("engines", len(jobs), len(jobs))
        return Engines(tuple(built), tuple(failed))

    def _key(self, job: Job) -> _core.EngineKey:
        return _core.EngineKey(
            graph_sha256=job.sha256,
            precision=job.precision,
            profiles=job.profiles_json,
            tensorrt=self._platform["tensorrt"],
            device=self._platform["device"],
            compute_capability=self._platform["compute_capability"],
            driver=self._platform["driver"],
            plugins=self._platform["plugins"] if job.fused else "",
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
                "plugins": plugin_library() if job.fused else None,
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
        parts = [self._platform[part] for part in ("tensorrt", "device", "compute_capability")]
        name = "-".join(part.replace(" ", "_").replace("/", "_") for part in parts)
        return str(Path(self._cache.folder()) / f"{name}.timing")


def _platform(tensorrt: TensorRT, targets: Sequence[str], with_plugins: bool) -> Mapping[str, str]:
    """What an engine depends on beside its graph. On the device as the runtime will look for it."""
    if not tensorrt.ahead_of_time:
        return _core.engine_platform(with_plugins=with_plugins)
    return {
        "tensorrt": tensorrt.version,
        "device": "",
        "compute_capability": ",".join(capability(target) for target in targets),
        "driver": "",
        "plugins": "",
    }


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
