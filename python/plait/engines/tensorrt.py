"""NVIDIA's builders behind one face: TensorRT-RTX, and TensorRT 10 and 11. All that differs between
them, and between versions, is here.

TensorRT-RTX builds on any machine for GPUs that are elsewhere; TensorRT builds on the device, for
the GPU that is there. Both build strongly typed networks only: TensorRT 11 has no other, and has
neither calibrators nor precision flags any more.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from plait.errors import BackendError, ConfigError

Backend = Literal["tensorrt-rtx", "tensorrt"]
BACKENDS: tuple[Backend, ...] = ("tensorrt-rtx", "tensorrt")

_MODULES: Mapping[Backend, tuple[str, ...]] = {
    "tensorrt-rtx": ("tensorrt_rtx_bindings", "tensorrt_rtx"),
    "tensorrt": ("tensorrt",),
}
_INSTALL: Mapping[Backend, str] = {
    "tensorrt-rtx": "On an x86-64 machine: pip install 'plait[engines]'.",
    "tensorrt": "It comes with JetPack (python3-libnvinfer) or NVIDIA's TensorRT packages; a "
    "virtual environment sees it with --system-site-packages.",
}
_OLDEST_MAJOR = 10
_TARGET = re.compile(r"sm_?(\d{2,3})", re.IGNORECASE)


@dataclass(frozen=True)
class TensorRT:
    """A builder that was found. version: as an engine cache knows it: "rtx-1.7.1.116", "10.3.0"."""

    backend: Backend
    module: Any
    version: str

    @property
    def ahead_of_time(self) -> bool:
        """Whether it builds for GPUs that are not in this machine."""
        return self.backend == "tensorrt-rtx"

    def targets(self, wanted: Sequence[str]) -> list[str]:
        """Checked and in order: ["SM86", "SM120"]. Raises ConfigError."""
        if not self.ahead_of_time:
            if wanted:
                raise ConfigError(
                    where="targets",
                    expected="none: TensorRT builds for the GPU of this machine",
                    got=", ".join(wanted),
                    action="Leave --targets out, or build with --backend tensorrt-rtx.",
                )
            return []
        known = [name for name in dir(self.module.ComputeCapability) if _TARGET.fullmatch(name)]
        known.sort(key=_number)
        asked = {f"SM{_number(name)}" if _TARGET.fullmatch(name) else name for name in wanted}
        unknown = sorted(asked - set(known))
        if unknown or not asked:
            raise ConfigError(
                where="targets",
                expected=f"some of {', '.join(known).lower()}",
                got=", ".join(unknown) or "none",
                action="For another GPU (Orin is sm87, Thor sm110) build on the device, with "
                "--backend tensorrt.",
            )
        return [name for name in known if name in asked]

    def network(self, builder: Any) -> Any:
        """An empty strongly typed network."""
        flags = self.module.NetworkDefinitionCreationFlag
        # Gone where there is no other kind of network.
        typed = getattr(flags, "STRONGLY_TYPED", None)
        return builder.create_network(0 if typed is None else 1 << int(typed))

    def configure(self, config: Any, targets: Sequence[str], workspace: int | None) -> None:
        """Targets, limits and how much the builder says of its layers. Raises BackendError."""
        trt = self.module
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        if workspace is not None:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
        if not targets:
            return
        config.num_compute_capabilities = len(targets)
        for index, target in enumerate(targets):
            # The setter logs an error and returns False; it does not raise.
            if not config.set_compute_capability(getattr(trt.ComputeCapability, target), index):
                raise BackendError(
                    where=f"TensorRT {self.version}",
                    expected=f"a build for {target.lower()}",
                    got="its builder refused the target",
                    action="",
                )

    def load_plugins(self, library: str) -> None:
        """Registers Plait's operators, for the parser. Raises BackendError."""
        if self.module.get_plugin_registry().load_library(library) is None:
            raise BackendError(
                where=f"TensorRT {self.version}",
                expected="Plait's plugins to load",
                got=f"{library} was refused",
                action="It has to be built for this major version of TensorRT.",
            )

    def use_timing_cache(self, config: Any, data: bytes) -> bool:
        """Gives the builder what it measured earlier. False where that is of another device or
        version; ahead of time nothing is measured."""
        if self.ahead_of_time:
            return False
        cache = config.create_timing_cache(data)
        return bool(cache and config.set_timing_cache(cache, False))

    def timing_cache(self, config: Any) -> bytes:
        """What the builder has measured, to be given to it next time."""
        cache = None if self.ahead_of_time else config.get_timing_cache()
        return b"" if cache is None else bytes(cache.serialize())

    def logger(self, tell: Callable[[str, str], None]) -> Any:
        """A logger that calls tell(severity, message): "INTERNAL_ERROR" down to "VERBOSE"."""
        interface: Any = self.module.ILogger

        class Logger(interface):  # type: ignore[misc]
            def __init__(self) -> None:
                interface.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                tell(str(severity).rpartition(".")[2], message)

        return Logger()

    def monitor(self, config: Any, tell: Callable[[str, int, int], None]) -> None:
        """Calls tell(phase, steps done, steps) as the build goes on, where the version can."""
        interface: Any = getattr(self.module, "IProgressMonitor", None)
        if interface is None:
            return

        class Monitor(interface):  # type: ignore[misc]
            def __init__(self) -> None:
                interface.__init__(self)
                self.steps: dict[str, int] = {}

            def phase_start(
                self, phase_name: str, parent_phase: str | None, num_steps: int
            ) -> None:
                if parent_phase is None:
                    self.steps[phase_name] = num_steps

            def phase_finish(self, phase_name: str) -> None:
                self.steps.pop(phase_name, None)

            def step_complete(self, phase_name: str, step: int) -> bool:
                if phase_name in self.steps:
                    tell(phase_name, step + 1, self.steps[phase_name])
                return True

        config.progress_monitor = Monitor()


def open_tensorrt(backend: str) -> TensorRT:
    """Raises ConfigError for a backend that there is not, BackendError where it is not installed or
    too old."""
    known = next((name for name in BACKENDS if name == backend), None)
    if known is None:
        raise ConfigError(
            where="backend",
            expected=f"one of {', '.join(BACKENDS)}",
            got=repr(backend),
            action="",
        )
    reasons = []
    for name in _MODULES[known]:
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError) as error:
            reasons.append(str(error))
            continue
        if not hasattr(module, "Builder"):  # a folder of that name on the path is a module too
            reasons.append(f"another module of that name ({module.__spec__})")
            continue
        return TensorRT(known, module, _version(known, str(module.__version__)))
    raise BackendError(
        where=f"backend {known}",
        expected=f"the Python package {_MODULES[known][0]}",
        got="; ".join(reasons),
        action=_INSTALL[known],
    )


def capability(target: str) -> str:
    """ "SM86" as CUDA says it: "8.6"."""
    number = _number(target)
    return f"{number // 10}.{number % 10}"


def _version(backend: Backend, version: str) -> str:
    if backend == "tensorrt-rtx":
        return f"rtx-{version}"
    if int(version.partition(".")[0]) < _OLDEST_MAJOR:
        raise BackendError(
            where="backend tensorrt",
            expected=f"TensorRT {_OLDEST_MAJOR} or newer",
            got=version,
            action="JetPack 6 and newer bring it.",
        )
    return version


def _number(target: str) -> int:
    found = _TARGET.fullmatch(target)
    return int(found[1]) if found else 0
