"""What this device is and which libraries Plait finds on it: the first half of `plait doctor`."""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import plait

# The instructions that decide how fast, and in INT8 how exactly, a graph runs on a CPU.
_TELLING_FEATURES = (
    "avx", "f16c", "fma", "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16",
    "avx512_fp16", "amx_int8", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip
_INT8_FEATURES = frozenset({"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"})


@dataclass(frozen=True)
class Environment:
    """Versions, libraries and hardware that an answer depends on. None: could not be found out."""

    plait: str
    core: str
    python: str
    numpy: str
    onnxruntime: str | None
    onnxruntime_path: str | None
    onnxruntime_problem: str | None
    system: str
    board: str | None
    architecture: str
    cpu: str | None
    cpu_features: tuple[str, ...]
    cpus_usable: int
    cpus_present: int
    governor: str | None
    memory_bytes: int | None

    @property
    def has_int8_instructions(self) -> bool:
        """Whether 8-bit products are summed without saturating (VNNI, Arm dot product)."""
        return bool(_INT8_FEATURES.intersection(self.cpu_features))

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return asdict(self)


def environment(onnxruntime: str | os.PathLike[str] | None = None) -> Environment:
    """Looks at this device. onnxruntime: the library to look at instead of the one Plait finds.

    Never raises for what is missing: that ONNX Runtime can't be found is in
    `onnxruntime_problem`, since a doctor has to be able to say so.
    """
    version, path, problem = _onnxruntime(onnxruntime)
    cpu, features = _cpu(_read("/proc/cpuinfo") or "")
    return Environment(
        plait=_distribution_version("plait"),
        core=plait.version(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        numpy=np.__version__,
        onnxruntime=version,
        onnxruntime_path=path,
        onnxruntime_problem=problem,
        system=platform.platform(),
        board=_board(),
        architecture=platform.machine(),
        cpu=cpu,
        cpu_features=features,
        cpus_usable=_cpus_usable(),
        cpus_present=os.cpu_count() or 1,
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        memory_bytes=_memory_bytes(),
    )


def _distribution_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed as a package"


class _ApiBase(ctypes.Structure):
    """The head of ONNX Runtime's OrtApiBase, stable since its first release."""

    _fields_ = (
        ("GetApi", ctypes.c_void_p),
        ("GetVersionString", ctypes.CFUNCTYPE(ctypes.c_char_p)),
    )


def _onnxruntime(
    given: str | os.PathLike[str] | None,
) -> tuple[str | None, str | None, str | None]:
    found = given or plait.find_onnxruntime()
    # Without a path the system's loader decides, here as in the core.
    path = os.fspath(found) if found else "libonnxruntime.so.1"
    try:
        library = ctypes.CDLL(path)
        library.OrtGetApiBase.restype = ctypes.POINTER(_ApiBase)
        version: bytes = library.OrtGetApiBase().contents.GetVersionString()
    except (OSError, AttributeError) as error:
        return None, path, f"{path} can't be used as ONNX Runtime: {error}"
    return version.decode(), path, None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def _cpu(cpuinfo: str) -> tuple[str | None, tuple[str, ...]]:
    """Model and telling features out of the first CPU of /proc/cpuinfo, on x86 and on Arm."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    model = fields.get("model name")
    if model is None and "CPU part" in fields:
        model = f"Arm implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return model, tuple(feature for feature in _TELLING_FEATURES if feature in flags)


def _board() -> str | None:
    """The name of the board where the firmware states one: "NVIDIA Jetson AGX Orin ..."."""
    return _read("/proc/device-tree/model")


def _cpus_usable() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not a Linux
        return os.cpu_count() or 1


def _memory_bytes() -> int | None:
    for line in (_read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None
