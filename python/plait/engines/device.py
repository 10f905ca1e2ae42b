"""The GPU that engines are built for on this machine, as the runtime will look for them."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from plait.errors import BackendError

_DRIVER = "libcuda.so.1"
# CUdevice_attribute, stable since CUDA 5.
_MAJOR, _MINOR = 75, 76
_NAME_BYTES = 256


@dataclass(frozen=True)
class Device:
    """name: "Orin". compute_capability: "8.7". driver: newest CUDA it serves, "12.6"."""

    name: str
    compute_capability: str
    driver: str


# What is built ahead of time depends on no device of this machine.
ELSEWHERE = Device("", "", "")


def find_device() -> Device:
    """The first GPU. Raises BackendError where there is none."""
    try:
        cuda = ctypes.CDLL(_DRIVER)
    except OSError as error:
        raise _missing(str(error)) from error
    _check(cuda, "cuInit", 0)
    version = ctypes.c_int()
    _check(cuda, "cuDriverGetVersion", ctypes.byref(version))
    device = ctypes.c_int()
    _check(cuda, "cuDeviceGet", ctypes.byref(device), 0)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _check(cuda, "cuDeviceGetName", name, _NAME_BYTES, device)
    parts = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int()
        _check(cuda, "cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
        parts.append(value.value)
    return Device(
        name=name.value.decode(errors="replace"),
        compute_capability=f"{parts[0]}.{parts[1]}",
        driver=f"{version.value // 1000}.{version.value % 1000 // 10}",
    )


def _check(cuda: ctypes.CDLL, function: str, *arguments: Any) -> None:
    code = getattr(cuda, function)(*arguments)
    if code != 0:
        raise _missing(f"{function} failed with CUDA's error {code}")


def _missing(got: str) -> BackendError:
    return BackendError(
        where="backend tensorrt",
        expected="an NVIDIA GPU with its driver",
        got=got,
        action="Build on the device, or for other GPUs with --backend tensorrt-rtx.",
    )
