"""What decides speed and memory on a Jetson: power mode, clocks, swap, releases, libraries.

Small readers over files that every user may read; nothing is run and nothing needs root. What can't
be found out, as in a container that does not see the file, has no value: "not available here".
Sources: NVIDIA's Jetson Linux Developer Guide (power and performance of Orin and Thor), and the
kernel's documentation of cpufreq, devfreq and /proc/swaps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# L4T's first number is the JetPack generation, where the package that names it is not installed.
_GENERATIONS = {"35": "5", "36": "6", "38": "7.0 or 7.1", "39": "7.2 or later 7.x"}
_LIBRARY_FOLDERS = (
    "usr/lib/aarch64-linux-gnu",
    "usr/local/cuda/lib64",
    "usr/local/cuda/targets/aarch64-linux/lib",
    "usr/local/cuda/targets/sbsa-linux/lib",
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at. value: None where it is not available here; advice: "" where it is fine.

    command: what changes it, where one does.
    """

    name: str
    value: str | None
    advice: str = ""
    command: str = ""


@dataclass(frozen=True)
class Jetson:
    """A Jetson and what was found on it, in the order in which it is shown."""

    board: str
    container: bool
    findings: tuple[Finding, ...]

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return asdict(self)


def jetson(root: Path = Path("/")) -> Jetson | None:
    """Looks at the Jetson whose files are under root; None where it is none. Never raises."""
    board = _read(root / "proc/device-tree/model")
    release = _read(root / "etc/nv_tegra_release")
    if release is None and "Jetson" not in (board or ""):
        return None
    container = (root / ".dockerenv").exists() or (root / "run/.containerenv").exists()
    return Jetson(
        board=board or "a Jetson whose board is not named here",
        container=container,
        findings=(
            _l4t(release),
            _jetpack(root, release),
            _driver(root),
            _library(root, "TensorRT", "libnvinfer", needed=True, container=container),
            _library(root, "CUDA runtime", "libcudart", needed=True, container=container),
            _library(root, "cuDNN", "libcudnn", needed=False, container=container),
            _gpu(root, container),
            _power_mode(root),
            _cpu_clocks(root),
            _gpu_clocks(root),
            _swap(root),
            _tegrastats(root, container),
        ),
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def _l4t(release: str | None) -> Finding:
    """L4T out of "# R36 (release), REVISION: 4.3, GCID: ...": 36.4.3."""
    return Finding("Jetson Linux", _l4t_version(release))


def _l4t_version(release: str | None) -> str | None:
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", release or "")
    return f"{found[1]}.{found[2]}" if found else None


def _jetpack(root: Path, release: str | None) -> Finding:
    packages = _read(root / "var/lib/dpkg/status") or ""
    found = re.search(r"^Package: nvidia-jetpack\n(?:.+\n)*?Version: (\S+)", packages, re.MULTILINE)
    if found:
        return Finding("JetPack", found[1])
    version = _l4t_version(release)
    generation = _GENERATIONS.get(version.partition(".")[0]) if version else None
    return Finding("JetPack", generation and f"{generation} (by Jetson Linux {version})")


def _driver(root: Path) -> Finding:
    """The version of the GPU's kernel module; JetPack 6 on Orin has none of its own."""
    text = _read(root / "proc/driver/nvidia/version") or ""
    found = re.search(r"\b(\d{3}\.\d+(?:\.\d+)?)\b", text)
    return Finding("GPU driver", found[1] if found else None)


def _library(root: Path, name: str, stem: str, *, needed: bool, container: bool) -> Finding:
    """The versions in the names of a library's files, the newest first."""
    versions: set[tuple[int, ...]] = set()
    for folder in _LIBRARY_FOLDERS:
        for path in _listed(root / folder):
            found = re.fullmatch(re.escape(stem) + r"\.so\.(\d+(?:\.\d+)+)", path.name)
            if found:
                versions.add(tuple(map(int, found[1].split("."))))
    if versions:
        return Finding(name, ", ".join(_dotted(sorted(versions, reverse=True))))
    if name == "CUDA runtime" and (version := _cuda_release(root)):
        return Finding(name, version)
    if not needed:
        return Finding(name, None)
    if container:
        return Finding(
            name, None, f"JetPack mounts the driver, not {name}: use an image that has it."
        )
    return Finding(name, None, f"Engines need {name}.", "sudo apt install nvidia-jetpack")


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _dotted(versions: Iterable[tuple[int, ...]]) -> Iterable[str]:
    return (".".join(map(str, version)) for version in versions)


def _cuda_release(root: Path) -> str | None:
    try:
        version = json.loads(_read(root / "usr/local/cuda/version.json") or "")["cuda"]["version"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None


def _gpu(root: Path, container: bool) -> Finding:
    """A device file of the GPU: nvgpu's on Orin, nvidia's on Thor."""
    for name in ("nvidia0", "nvhost-gpu", "nvgpu/igpu0"):
        if (root / "dev" / name).exists():
            return Finding("GPU device", f"/dev/{name}")
    if container:
        advice = "Start the container with the GPU."
        return Finding("GPU device", None, advice, "docker run --runtime nvidia ...")
    return Finding("GPU device", None, "The GPU's driver is not loaded: look into dmesg.")


def _power_mode(root: Path) -> Finding:
    """The mode's number out of nvpmodel's state, its name out of nvpmodel's configuration."""
    status = re.search(r"pmode:(\d+)", _read(root / "var/lib/nvpmodel/status") or "")
    configuration = _read(root / "etc/nvpmodel.conf") or ""
    modes = {
        int(number): name
        for number, name in re.findall(
            r"^< *POWER_MODEL +ID=(\d+) +NAME=(\S+) *>", configuration, re.MULTILINE
        )
    }
    default = re.search(r"^< *PM_CONFIG +DEFAULT=(\d+) *>", configuration, re.MULTILINE)
    # Nothing is kept until a mode is chosen; the board then starts with the default.
    chosen = status or default
    if chosen is None:
        return Finding("Power mode", None)
    current = int(chosen[1])
    value = f"{modes.get(current, 'unnamed')} (mode {current})"
    # By name: mode 0 is the fastest on an AGX Orin, and the 15 W mode on an Orin Nano Super.
    fastest = max(modes, key=lambda number: _allows(modes[number]), default=current)
    if current not in modes or _allows(modes[current]) >= _allows(modes[fastest]):
        return Finding("Power mode", value)
    advice = f"{modes[fastest]} is faster, where power and cooling allow it."
    return Finding("Power mode", value, advice, f"sudo nvpmodel -m {fastest}")


def _allows(mode: str) -> tuple[bool, int]:
    """Grows with what a mode of this name allows: MAXN caps nothing, 15W more than 7W."""
    watts = re.search(r"(\d+)W", mode)
    return mode.startswith("MAXN"), int(watts[1]) if watts else 0


def _cpu_clocks(root: Path) -> Finding:
    policies = sorted(_listed(root / "sys/devices/system/cpu/cpufreq"))
    ranges = [_range(policy, "scaling_min_freq", "scaling_max_freq") for policy in policies]
    # cpufreq counts in kHz.
    return _clocks("CPU clocks", [(low * 1000, high * 1000) for low, high in filter(None, ranges)])


def _gpu_clocks(root: Path) -> Finding:
    """The GPU among the devices that scale: 17000000.gpu on Orin, gpu-gpc-0 on Thor."""
    devices = [path for path in _listed(root / "sys/class/devfreq") if "gpu" in path.name]
    ranges = [_range(device, "min_freq", "max_freq") for device in sorted(devices)]
    return _clocks("GPU clocks", list(filter(None, ranges)))


def _range(folder: Path, low: str, high: str) -> tuple[int, int] | None:
    try:
        return int(_read(folder / low) or ""), int(_read(folder / high) or "")
    except ValueError:
        return None


def _clocks(name: str, ranges_hz: list[tuple[int, int]]) -> Finding:
    if not ranges_hz:
        return Finding(name, None)
    if all(low == high for low, high in ranges_hz):
        locked = ", ".join(sorted({f"{high / 1e6:.0f} MHz" for _, high in ranges_hz}))
        return Finding(name, f"locked at {locked}")
    low, high = min(low for low, _ in ranges_hz), max(high for _, high in ranges_hz)
    return Finding(
        name,
        f"free from {low / 1e6:.0f} to {high / 1e6:.0f} MHz",
        "Timings will spread: lock the clocks before measuring.",
        "sudo jetson_clocks",
    )


def _swap(root: Path) -> Finding:
    """Swap by kind. zram takes its pages from the memory that a build runs short of."""
    try:
        lines = (root / "proc/swaps").read_text().splitlines()[1:]
    except OSError:
        return Finding("Swap", None)
    zram = disk = 0
    for line in lines:
        fields = line.split()
        if len(fields) < 3 or not fields[2].isdigit():
            continue
        kibibytes = int(fields[2])
        if "zram" in fields[0]:
            zram += kibibytes
        else:
            disk += kibibytes
    value = f"{disk / 2**20:.1f} GiB on disk, {zram / 2**20:.1f} GiB zram"
    if disk:
        return Finding("Swap", value)
    advice = "A build of a large engine may be killed for memory: add a swap file on a disk."
    return Finding("Swap", value, advice)


def _tegrastats(root: Path, container: bool) -> Finding:
    if (root / "usr/bin/tegrastats").exists():
        return Finding("tegrastats", "/usr/bin/tegrastats")
    if not container:
        return Finding("tegrastats", None)
    advice = "Mount it to see power and load from inside the container."
    return Finding(
        "tegrastats", None, advice, "docker run -v /usr/bin/tegrastats:/usr/bin/tegrastats:ro ..."
    )
