"""Where the native library and ONNX Runtime are, and which version this is."""

from __future__ import annotations

import os
from pathlib import Path

from plait import _core


def version() -> str:
    """Version of the core, "MAJOR.MINOR.PATCH"."""
    return _core.version()


def cmake_dir() -> str:
    """Folder for CMake's plait_DIR, so that find_package(plait) finds this installation."""
    return str(Path(__file__).parent / "lib" / "cmake" / "plait")


def find_onnxruntime() -> Path | None:
    """The libonnxruntime that would be opened, without importing onnxruntime.

    $PLAIT_ONNXRUNTIME if set, else the one in the installed onnxruntime package, else None, which
    leaves the choice to the system's loader.
    """
    wanted = os.environ.get("PLAIT_ONNXRUNTIME")
    if wanted:
        return Path(wanted)
    from importlib.util import find_spec

    spec = find_spec("onnxruntime")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "capi"
    return min(folder.glob("libonnxruntime.so*"), default=None)
