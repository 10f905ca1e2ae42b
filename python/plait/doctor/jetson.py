"""What decides how fast a Jetson is: its release, power mode, clocks, swap and libraries.

Everything is read from plain files, without root and without NVIDIA's tools, so that it works in a
container that is given /etc/nv_tegra_release, /etc/nvpmodel.conf and /var/lib/nvpmodel read only.
Where the files are: NVIDIA's Jetson Linux Developer Guide, "Platform Power and Performance".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Jetson Linux (L4T) by its major number: the JetPack that brings it.
_JETPACKS = {35: "5", 36: "6", 38: "7", 39: "7"}
_RELEASE = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")
_MODE = re.compile(r"^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", re.MULTILINE)
_WATTS = re.compile(r"(\d+)W")


@dataclass(frozen=True)
class PowerMode:
    """One of nvpmodel's modes: "MAXN", "15W"."""

    number: int
    name: str

    @property
    def rank(self) -> tuple[bool, int]:
        """Grows with what the mode allows: MAXN caps nothing. Numbers say nothing of that."""
        watts = _WATTS.search(self.name)
        return self.name.upper().startswith("MAXN"), int(watts[1]) if watts else 0


@dataclass(frozen=True)
class Clock:
    """A clock and the limits it moves between, in MHz; equal limits: it is locked."""

    name: str
    current_mhz: float | None
    lowest_mhz: float
    highest_mhz: float

    @property
    def locked(self) -> bool:
        """Whether it can't move."""
        return self.lowest_mhz == self.highest_mhz


@dataclass(frozen=True)
class Swap:
    """A place memory is swapped to."""

    path: str
    bytes: int

    @property
    def compressed(self) -> bool:
        """Whether it is zram: memory itself, compressed by the CPUs."""
        return Path(self.path).name.startswith("zram")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ok: None where it is not available here. action: where it is not ok."""

    name: str
    value: str
    ok: bool | None
    action: str = ""


@dataclass(frozen=True)
class Jetson:
    """What was found. None and empty: not available here."""

    release: str | None
    power_mode: PowerMode | None
    power_modes: tuple[PowerMode, ...]
    clocks: tuple[Clock, ...]
    swaps: tuple[Swap, ...] | None
    tegrastats: bool
    tensorrt: tuple[str, ...]
    cuda: str | None

    @property
    def jetpack(self) -> str | None:
        """The JetPack that brings this release: "6", or None for one that is not known."""
        return None if self.release is None else _JETPACKS.get(int(self.release.split(".")[0]))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of it as lines for people."""
        return (
            self._release(),
            self._power(),
            *self._clocks(),
            self._swap(),
            Finding("tegrastats", "there" if self.tegrastats else "not available here",
                    True if self.tegrastats else None),
            _version("TensorRT", ", ".join(self.tensorrt)),
            _version("CUDA", self.cuda),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return {
            **asdict(self),
            "jetpack": self.jetpack,
            "findings": [asdict(finding) for finding in self.findings],
        }

    def _release(self) -> Finding:
        if self.release is None:
            return _unavailable("Jetson Linux")
        jetpack = f", JetPack {self.jetpack}" if self.jetpack else ""
        return Finding("Jetson Linux", f"{self.release}{jetpack}", True)

    def _power(self) -> Finding:
        mode = self.power_mode
        if mode is None:
            return _unavailable("Power mode")
        best = max(self.power_modes, key=lambda other: other.rank, default=mode)
        value = f"{mode.name} (mode {mode.number})"
        if mode.rank >= best.rank:
            return Finding("Power mode", value, True)
        action = f"{best.name} allows more: sudo nvpmodel -m {best.number}"
        return Finding("Power mode", value, False, action)

    def _clocks(self) -> Iterator[Finding]:
        if not self.clocks:
            yield _unavailable("Clocks")
        for clock in self.clocks:
            now = "" if clock.current_mhz is None else f", now {clock.current_mhz:.0f}"
            if clock.locked:
                yield Finding(clock.name, f"locked at {clock.highest_mhz:.0f} MHz", True)
            else:
                span = f"{clock.lowest_mhz:.0f} to {clock.highest_mhz:.0f} MHz{now}"
                action = "it falls when idle, and the next answer waits: sudo jetson_clocks"
                yield Finding(clock.name, span, False, action)

    def _swap(self) -> Finding:
        if self.swaps is None:
            return _unavailable("Swap")
        size = sum(swap.bytes for swap in self.swaps)
        if not size:
            return Finding("Swap", "none", True)
        value = f"{size / 2**30:.1f} GiB in {', '.join(swap.path for swap in self.swaps)}"
        if any(swap.compressed for swap in self.swaps):
            action = (
                "zram takes memory and CPU time: sudo systemctl disable nvzramconfig, and reboot"
            )
            return Finding("Swap", value, False, action)
        return Finding("Swap", value, True)


def jetson(root: Path = Path("/")) -> Jetson | None:
    """Looks at this device, or at the files below another root. None where it is no Jetson."""
    release = _RELEASE.match(_text(root / "etc/nv_tegra_release"))
    board = _text(root / "proc/device-tree/model")
    if release is None and "Jetson" not in board:
        return None
    modes = tuple(
        PowerMode(int(number), name.rstrip(">"))
        for number, name in _MODE.findall(_text(root / "etc/nvpmodel.conf"))
    )
    return Jetson(
        release=None if release is None else f"{release[1]}.{release[2]}",
        power_mode=_power_mode(root, modes),
        power_modes=modes,
        clocks=(*_device_clocks(root), *_cpu_clocks(root)),
        swaps=_swaps(root),
        tegrastats=(root / "usr/bin/tegrastats").exists(),
        tensorrt=_tensorrt(root),
        cuda=_cuda(root),
    )


def _power_mode(root: Path, modes: tuple[PowerMode, ...]) -> PowerMode | None:
    status = re.match(r"pmode:(\d+)", _text(root / "var/lib/nvpmodel/status"))
    if status is None:
        return None
    number = int(status[1])
    named = (mode for mode in modes if mode.number == number)
    return next(named, PowerMode(number, "unnamed"))


def _device_clocks(root: Path) -> Iterator[Clock]:
    """GPU, and memory where it is a devfreq device too (Thor); in Hz there."""
    for folder in sorted((root / "sys/class/devfreq").glob("*")):
        if "gpu" in folder.name or folder.name == "bwmgr":
            name = "Memory clock" if folder.name == "bwmgr" else f"GPU clock {folder.name}"
            limits = (_number(folder / "min_freq"), _number(folder / "max_freq"))
            yield from _clock(name, _number(folder / "cur_freq"), limits, 1e6)


def _cpu_clocks(root: Path) -> Iterator[Clock]:
    """One for all CPUs: the widest limits of any; in kHz there."""
    folders = list((root / "sys/devices/system/cpu/cpufreq").glob("policy*"))
    lowest = [n for f in folders if (n := _number(f / "scaling_min_freq")) is not None]
    highest = [n for f in folders if (n := _number(f / "scaling_max_freq")) is not None]
    locked = all(
        _number(f / "scaling_min_freq") == _number(f / "scaling_max_freq") for f in folders
    )
    if lowest and highest:
        least = max(highest) if locked else min(lowest)
        yield from _clock("CPU clocks", None, (least, max(highest)), 1e3)


def _clock(
    name: str, current: int | None, limits: tuple[int | None, int | None], per_mhz: float
) -> Iterator[Clock]:
    lowest, highest = limits
    if lowest is not None and highest is not None:
        now = None if current is None else current / per_mhz
        yield Clock(name, now, lowest / per_mhz, highest / per_mhz)


def _swaps(root: Path) -> tuple[Swap, ...] | None:
    lines = _text(root / "proc/swaps").splitlines()
    if not lines:
        return None
    fields = [line.split() for line in lines[1:]]
    return tuple(Swap(f[0], int(f[2]) * 1024) for f in fields if len(f) > 2 and f[2].isdigit())


def _tensorrt(root: Path) -> tuple[str, ...]:
    """Versions of the libnvinfer found, out of their file names."""
    found = set()
    for folder in ("usr/lib/aarch64-linux-gnu", "usr/lib", "usr/local/tensorrt/lib"):
        for path in (root / folder).glob("libnvinfer.so.*.*"):
            found.add(path.name.removeprefix("libnvinfer.so."))
    return tuple(sorted(found))


def _cuda(root: Path) -> str | None:
    try:
        return str(json.loads(_text(root / "usr/local/cuda/version.json"))["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _text(path: Path) -> str:
    """Empty where it can't be read: files of /sys may vanish or refuse."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isascii() and text.isdigit() else None


def _version(name: str, version: str | None) -> Finding:
    return Finding(name, version, True) if version else _unavailable(name)


def _unavailable(name: str) -> Finding:
    return Finding(name, "not available here", None)
