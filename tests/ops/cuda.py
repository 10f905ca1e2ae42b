"""The CUDA operators on host arrays: on a device, or where there is none under host emulation."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import BackendError, ConfigError, SampleError, ops

Array = NDArray[Any]
ROOT = Path(__file__).parents[2]
EMULATED = "libplait_cuda_emulated.so"

_MOST_OUTPUTS = 4
_MOST_DIMENSIONS = 8
_ERRORS = {1: SampleError, 2: ConfigError, 3: BackendError}


class _Array(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_char_p),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
        ("rank", ctypes.c_size_t),
    )


class _Attribute(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("kind", ctypes.c_char_p),
        ("number", ctypes.c_float),
        ("whole", ctypes.c_int64),
        ("numbers", ctypes.POINTER(ctypes.c_float)),
        ("count", ctypes.c_size_t),
        ("word", ctypes.c_char_p),
    )


class _Call(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("attribute_count", ctypes.c_size_t),
        ("inputs", ctypes.POINTER(_Array)),
        ("input_count", ctypes.c_size_t),
    )


class CudaLibrary:
    """tests/ops/cuda_arrays.cpp, loaded. Raises what the operators raise."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.plait_cuda_operators.restype = ctypes.c_char_p
        self.operators = tuple(self._library.plait_cuda_operators().decode().split(","))

    def run(
        self, name: str, inputs: Sequence[Array], attributes: Mapping[str, Any]
    ) -> tuple[Array, ...]:
        """The outputs of one call."""
        return self._run(name, inputs, attributes, 0)[0]

    def times_ms(
        self, name: str, inputs: Sequence[Array], attributes: Mapping[str, Any], count: int
    ) -> list[float]:
        """The times that a call takes on the device, without copies from and to the host."""
        return self._run(name, inputs, attributes, count)[1]

    def copy_times_ms(self, size: int, count: int) -> list[float]:
        """The times of a copy within the device's memory: size bytes read and as many written."""
        times = (ctypes.c_float * count)()
        self._call("plait_cuda_copy", ctypes.c_size_t(size), times, ctypes.c_size_t(count))
        return list(times)

    def device(self) -> tuple[str, int]:
        """The device's name, and its compute capability: 87 is 8.7."""
        name = ctypes.create_string_buffer(256)
        capability = ctypes.c_int()
        self._call("plait_cuda_device", name, ctypes.c_size_t(len(name)), ctypes.byref(capability))
        return name.value.decode(), capability.value

    def _run(
        self, name: str, inputs: Sequence[Array], attributes: Mapping[str, Any], count: int
    ) -> tuple[tuple[Array, ...], list[float]]:
        spec = next(spec for spec in ops.operators() if spec.name == name)
        kept: list[Any] = []
        call = _call(spec, inputs, attributes, kept)
        types = {
            tensor.types: array.dtype for tensor, array in zip(spec.inputs, inputs, strict=True)
        }
        outputs = [
            np.zeros(shape, types.get(tensor.types, np.dtype(tensor.types[0])))
            for tensor, shape in zip(
                spec.outputs, self._shapes(call, len(spec.outputs)), strict=True
            )
        ]
        arrays = (_Array * len(outputs))(*(_array(output, kept) for output in outputs))
        times = (ctypes.c_float * count)()
        self._call(
            "plait_cuda_run",
            ctypes.byref(call),
            arrays,
            ctypes.c_size_t(len(outputs)),
            times,
            ctypes.c_size_t(count),
        )
        return tuple(outputs), list(times)

    def _shapes(self, call: _Call, count: int) -> list[tuple[int, ...]]:
        dims = (ctypes.c_int64 * (_MOST_OUTPUTS * _MOST_DIMENSIONS))()
        ranks = (ctypes.c_size_t * _MOST_OUTPUTS)()
        self._call("plait_cuda_shapes", ctypes.byref(call), dims, ranks)
        return [
            tuple(dims[i * _MOST_DIMENSIONS : i * _MOST_DIMENSIONS + ranks[i]])
            for i in range(count)
        ]

    def _call(self, function: str, *arguments: Any) -> None:
        message = ctypes.create_string_buffer(1024)
        kind = getattr(self._library, function)(*arguments, message)
        if kind != 0:
            where, expected, got, action = message.value.decode().split("\x1f")
            raise _ERRORS[kind](where=where, expected=expected, got=got, action=action)


def _array(array: Array, kept: list[Any]) -> _Array:
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    kept += [array, dims]
    return _Array(array.ctypes.data, array.dtype.name.encode(), dims, array.ndim)


def _attribute(name: str, kind: str, value: Any, kept: list[Any]) -> _Attribute:
    given = _Attribute(name=name.encode(), kind=kind.encode())
    if kind == "float":
        given.number = value
    elif kind == "int":
        given.whole = value
    elif kind == "word":
        given.word = value.encode()
    else:
        given.numbers = (ctypes.c_float * len(value))(*value)
        given.count = len(value)
    kept.append(given)
    return given


def _call(
    spec: ops.OperatorSpec, inputs: Sequence[Array], said: Mapping[str, Any], kept: list[Any]
) -> _Call:
    kinds = {attribute.name: attribute.kind for attribute in spec.attributes}
    attributes = (_Attribute * len(said))(
        *(_attribute(name, kinds[name], value, kept) for name, value in said.items())
    )
    arrays = [_array(np.ascontiguousarray(array), kept) for array in inputs]
    kept += [attributes, arrays]
    return _Call(
        spec.name.encode(),
        attributes,
        len(said),
        (_Array * len(arrays))(*arrays),
        len(arrays),
    )


def library_path() -> Path:
    """PLAIT_CUDA_LIBRARY where that is set: of a device, or under a sanitizer. Else the emulation
    in build/release, which is built when it is not there or is older than its sources."""
    if "PLAIT_CUDA_LIBRARY" in os.environ:
        return Path(os.environ["PLAIT_CUDA_LIBRARY"])
    build = ROOT / "build" / "release"
    for command in (
        ["cmake", "--preset", "release"],
        ["cmake", "--build", str(build), "--target", "plait_cuda_emulated", "--parallel", "2"],
    ):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"[-4000:])
    return build / "tests" / "cuda_emulation" / EMULATED


@lru_cache(maxsize=1)
def library() -> CudaLibrary:
    return CudaLibrary(library_path())


def label() -> str:
    """What the suite calls this implementation."""
    path = os.environ.get("PLAIT_CUDA_LIBRARY", EMULATED)
    return "cuda, emulated" if Path(path).name == EMULATED else "cuda"
