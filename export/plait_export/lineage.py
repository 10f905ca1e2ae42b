"""Where a bundle comes from: data, split, script, versions, revision and machine. Never a path."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from plait import ConfigError

_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy", "plait")
_GIT_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What only the user can know of a model's origin; the exporter adds the rest.

    data: name, licence, SHA-256, ... of the data set. split: how it was divided. training: what it
    was trained with. script: the training script as named in its repository, not where it lies.
    packages: further packages whose versions matter. Raises ConfigError for an absolute path
    anywhere: it means nothing elsewhere, and tells whose machine it was.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    script: str | None = None
    packages: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("data", "split", "training"):
            if not isinstance(getattr(self, name), Mapping):
                raise _not_json(getattr(self, name), f"lineage, {name}")
        for name in ("data", "split", "training", "script"):
            _check_value(getattr(self, name), f"lineage, {name}")


def describe_lineage(lineage: Lineage | None, folder: Path | None = None) -> dict[str, Any]:
    """The bundle's `lineage`: what the user said, and this environment.

    folder: where to ask git for a revision, the training script's; None asks nobody.
    """
    said = lineage if lineage is not None else Lineage()
    versions = {name: _version(name) for name in dict.fromkeys((*_PACKAGES, *said.packages))}
    described: dict[str, Any] = {
        "data": dict(said.data),
        "split": dict(said.split),
        "training": dict(said.training),
        "packages": {name: found for name, found in versions.items() if found is not None},
        "python": platform.python_version(),
        "machine": describe_machine(),
    }
    if said.script is not None:
        described["script"] = said.script
    revision = git_revision(folder) if folder is not None else None
    if revision is not None:
        described["git_revision"] = revision
    return described


def describe_machine() -> dict[str, Any]:
    """What kind of machine this is; nothing that says which one."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cpu": _cpu_name(),
        "cpus": usable_cpus(),
        "int8_dot_product": has_int8_dot_product(),
    }


def usable_cpus() -> int:
    """CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_int8_dot_product() -> bool | None:
    """Whether 8-bit products add up without saturating (VNNI, Arm dotprod); None: not known."""
    flags = _cpu_info("flags", "Features")
    if flags is None:
        return None
    return bool({"avx512_vnni", "avx_vnni", "asimddp"}.intersection(flags.split()))


def git_revision(folder: Path) -> str | None:
    """The commit a folder is at, with "-dirty" where files differ from it; None where no git is."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit + ("-dirty" if changes else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        module = sys.modules.get(package)
        found = getattr(module, "__version__", None)
        return str(found) if found is not None else None


def _cpu_name() -> str:
    return _cpu_info("model name", "Model") or platform.processor() or platform.machine()


def _cpu_info(*keys: str) -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in keys:
            return value.strip()
    return None


def _check_value(value: object, where: str) -> None:
    if value is None or isinstance(value, (bool, int)):
        return
    if isinstance(value, float) and math.isfinite(value):
        return
    if isinstance(value, str):
        if PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute():
            raise ConfigError(
                where=where,
                expected="a name that means something on other machines",
                got=f"the absolute path {value!r}",
                action="Name the file as its repository or data set does.",
            )
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise _not_json(key, f"{where}, a key")
            _check_value(inner, f"{where}, {key}")
        return
    if isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            _check_value(inner, f"{where}, {index}")
        return
    raise _not_json(value, where)


def _not_json(value: object, where: str) -> ConfigError:
    return ConfigError(
        where=where,
        expected="text, finite numbers, lists and dicts of these by name",
        got=repr(value),
        action="Lineage is written as JSON.",
    )
