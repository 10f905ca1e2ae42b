"""File trees of Jetsons as public documentation describes them. NOT taken from devices.

Sources: Jetson Linux Developer Guide (r36, r38: power and performance of Orin and Thor), NVIDIA's
container and JetPack documentation, and listings that users published. Numbers that documentation
does not give (build ids, library patch levels) are plausible, no more.
"""

from __future__ import annotations

from pathlib import Path

Tree = dict[str, str]

_CPUFREQ = "sys/devices/system/cpu/cpufreq"


def _clocks(device: str, gpu_hz: tuple[int, int], cpu_khz: tuple[int, int], policies: int) -> Tree:
    tree = {
        f"sys/class/devfreq/{device}/min_freq": f"{gpu_hz[0]}\n",
        f"sys/class/devfreq/{device}/max_freq": f"{gpu_hz[1]}\n",
    }
    for policy in range(policies):
        tree[f"{_CPUFREQ}/policy{4 * policy}/scaling_min_freq"] = f"{cpu_khz[0]}\n"
        tree[f"{_CPUFREQ}/policy{4 * policy}/scaling_max_freq"] = f"{cpu_khz[1]}\n"
    return tree


def _modes(default: int, *names: str) -> str:
    lines = ["# nvpmodel.conf", "< PARAM TYPE=FILE NAME=CPU_ONLINE >"]
    for number, name in enumerate(names):
        lines += [f"< POWER_MODEL ID={number} NAME={name} >", "CPU_ONLINE CORE_0 1"]
    return "\n".join([*lines, f"< PM_CONFIG DEFAULT={default} >", ""])


def _zram(count: int, kibibytes: int) -> str:
    header = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    rows = (f"/dev/zram{i}\tpartition\t{kibibytes}\t\t0\t\t5\n" for i in range(count))
    return header + "".join(rows)


# JetPack 6.2 as it comes: 25 W of 7, 15, 25 and MAXN_SUPER, clocks free, zram only.
ORIN_NANO: Tree = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, "
    "EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\n",
    "var/lib/dpkg/status": "Package: nvidia-jetson\nVersion: 1\n\nPackage: nvidia-jetpack\n"
    "Status: install ok installed\nArchitecture: arm64\nVersion: 6.2+b77\n\nPackage: zlib1g\n"
    "Version: 1:1.2.11\n",
    "etc/nvpmodel.conf": _modes(1, "15W", "25W", "MAXN_SUPER", "7W"),
    "var/lib/nvpmodel/status": "pmode:0001",
    "proc/swaps": _zram(6, 650_000),
    "usr/bin/tegrastats": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.10": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer_plugin.so.10.3.0": "",
    "usr/lib/aarch64-linux-gnu/libcudnn.so.9.3.0": "",
    "usr/local/cuda/targets/aarch64-linux/lib/libcudart.so.12.6.68": "",
    "dev/nvhost-gpu": "",
    **_clocks("17000000.gpu", (306_000_000, 918_000_000), (729_600, 1_344_000), 2),
}

# JetPack 6.1, MAXN, after jetson_clocks, with a swap file.
AGX_ORIN: Tree = {
    "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, "
    "EABI: aarch64, DATE: Fri Sep 13 04:36:44 UTC 2024\n",
    "etc/nvpmodel.conf": _modes(2, "MAXN", "15W", "30W", "50W"),
    "var/lib/nvpmodel/status": "pmode:0000",
    "proc/swaps": _zram(2, 1_000_000) + "/mnt/16GB.swap\tfile\t16777212\t0\t-2\n",
    "usr/bin/tegrastats": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0": "",
    "usr/local/cuda/targets/aarch64-linux/lib/libcudart.so.12.6.68": "",
    "dev/nvhost-gpu": "",
    **_clocks("17000000.gpu", (1_300_500_000, 1_300_500_000), (2_201_600, 2_201_600), 3),
}

# JetPack 7, seen from a container without the GPU: little of the host is there.
THOR_CONTAINER: Tree = {
    ".dockerenv": "",
    "proc/device-tree/model": "NVIDIA Jetson AGX Thor Developer Kit\0",
    "proc/swaps": _zram(0, 0),
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  "
    "580.00  Release Build\nGCC version:  gcc version 13.3.0\n",
    "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "13.0.1"}}',
    **_clocks("gpu-gpc-0", (315_000_000, 1_575_000_000), (972_000, 2_601_000), 4),
}

# The same device itself; nobody has chosen a mode yet.
THOR: Tree = {
    **{name: text for name, text in THOR_CONTAINER.items() if name != ".dockerenv"},
    "etc/nv_tegra_release": "# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic, "
    "EABI: aarch64, DATE: Fri Aug 22 00:55:42 UTC 2025\n",
    "etc/nvpmodel.conf": _modes(1, "MAXN", "120W", "90W", "70W"),
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.10.13.3": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.11.1.0": "",
    "usr/bin/tegrastats": "",
    "dev/nvidia0": "",
}


def plant(tree: Tree, root: Path) -> Path:
    """Writes the tree's files under root."""
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
