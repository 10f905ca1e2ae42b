"""File trees of Jetson boards, as far as `plait doctor` reads them.

Described from public documentation and reports (NVIDIA's Jetson Linux Developer Guide, "Platform
Power and Performance"; jetson_clocks' own paths), not recorded on boards of ours.
"""

from __future__ import annotations

from pathlib import Path

_ORIN_NANO_MODES = """\
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
# < POWER_MODEL ID=9 NAME=OFF >
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< POWER_MODEL ID=3 NAME=7W >
< PM_CONFIG DEFAULT=1 >
"""

_AGX_ORIN_MODES = """\
< POWER_MODEL ID=0 NAME=MAXN >
< POWER_MODEL ID=1 NAME=MODE_15W >
< POWER_MODEL ID=2 NAME=MODE_30W >
< POWER_MODEL ID=3 NAME=MODE_50W >
"""

_THOR_MODES = "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=120W >\n"

_SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def _cpu(policies: int, lowest: int, highest: int) -> dict[str, str]:
    folder = "sys/devices/system/cpu/cpufreq"
    files = {}
    for index in range(0, 4 * policies, 4):
        files[f"{folder}/policy{index}/scaling_min_freq"] = f"{lowest}\n"
        files[f"{folder}/policy{index}/scaling_max_freq"] = f"{highest}\n"
    return files


def _devfreq(name: str, current: int, lowest: int, highest: int) -> dict[str, str]:
    folder = f"sys/class/devfreq/{name}"
    values = {"cur_freq": current, "min_freq": lowest, "max_freq": highest}
    return {f"{folder}/{file}": f"{value}\n" for file, value in values.items()}


# As delivered: a mode that caps, clocks that move, zram for half of the memory.
ORIN_NANO = {
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, "
    "EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025\n",
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "etc/nvpmodel.conf": _ORIN_NANO_MODES,
    "var/lib/nvpmodel/status": "pmode:0001\n",
    **_cpu(2, 729600, 1344000),
    **_devfreq("17000000.gpu", 306000000, 306000000, 918000000),
    "proc/swaps": _SWAPS
    + "".join(f"/dev/zram{i}   partition\t635104\t\t0\t\t5\n" for i in range(6)),
    "usr/bin/tegrastats": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.10": "",
    "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}',
}

# MAXN, locked by jetson_clocks, swap on a disk.
AGX_ORIN = {
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic\n",
    "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
    "etc/nvpmodel.conf": _AGX_ORIN_MODES,
    "var/lib/nvpmodel/status": "pmode:0000\n",
    **_cpu(3, 2201600, 2201600),
    **_devfreq("17000000.gpu", 1300500000, 1300500000, 1300500000),
    "proc/swaps": _SWAPS + "/mnt/16GB.swap   file\t16777212\t0\t-2\n",
    "usr/bin/tegrastats": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0": "",
    "usr/local/cuda/version.json": '{"cuda": {"version": "12.6.68"}}',
}

# Memory's clock is a devfreq device here; nothing swaps.
THOR = {
    "etc/nv_tegra_release": "# R39 (release), REVISION: 2.0, GCID: 43000000, BOARD: generic\n",
    "proc/device-tree/model": "NVIDIA Jetson AGX Thor Developer Kit\0",
    "etc/nvpmodel.conf": _THOR_MODES,
    "var/lib/nvpmodel/status": "pmode:0001\n",
    **_cpu(3, 2601000, 2601000),
    **_devfreq("gpu-gpc-0", 1575000000, 1575000000, 1575000000),
    **_devfreq("gpu-nvd-0", 1692000000, 306000000, 1692000000),
    **_devfreq("bwmgr", 4266000000, 4266000000, 4266000000),
    "proc/swaps": _SWAPS,
    "usr/bin/tegrastats": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.11.1.0": "",
    "usr/local/cuda/version.json": '{"cuda": {"version": "13.0.2"}}',
}

# In a container that was given none of the files: the device tree alone tells.
CONTAINER = {"proc/device-tree/model": "NVIDIA Jetson Orin NX Engineering Reference\0"}


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Writes a tree; its root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
