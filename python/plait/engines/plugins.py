"""Where Plait's operators lie as TensorRT plugins."""

from __future__ import annotations

from pathlib import Path

from plait.errors import BackendError

_LIBRARY = Path(__file__).parents[1] / "lib" / "libplait_tensorrt.so"


def plugin_library() -> str:
    """The library's file, beside libplait. Raises BackendError where this build has none."""
    if not _LIBRARY.exists():
        raise BackendError(
            where="TensorRT plugins",
            expected=f"{_LIBRARY.name} beside libplait",
            got="none: this build of Plait was made without CUDA",
            action="Build a portable precision, or install Plait with PLAIT_CUDA=1 set.",
        )
    return str(_LIBRARY)
