"""Plait's operators as TensorRT plugins: where their library is, and which interface it has."""

from __future__ import annotations

import ctypes
from pathlib import Path

from plait.errors import BackendError

_LIBRARY = Path(__file__).parents[1] / "lib" / "libplait_tensorrt.so"


def library() -> str:
    """The library's file, beside libplait. Raises BackendError where this build has none."""
    if not _LIBRARY.exists():
        raise BackendError(
            where="TensorRT plugins",
            expected=f"{_LIBRARY.name} beside libplait",
            got="none: this build of Plait was made without CUDA",
            action="Build a portable precision, or Plait with -DPLAIT_BUILD_CUDA=ON.",
        )
    return str(_LIBRARY)


def abi() -> str:
    """What engines with such plugins depend on. Raises BackendError."""
    loaded = ctypes.CDLL(library())
    loaded.plait_plugins_abi.restype = ctypes.c_char_p
    version: bytes = loaded.plait_plugins_abi()
    return version.decode()
