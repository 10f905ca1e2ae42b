"""setup.py: has CMake build the core and the extension, and puts both into the wheel.

PLAIT_CUDA=87 (or 86,89; 1 for all that Plait knows) adds the operators for those GPUs, and them as
TensorRT plugins: it takes nvcc and TensorRT's headers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pybind11
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent

CUDA_LIBRARIES = ("libplait_cuda.so", "libplait_tensorrt.so")


def cuda_options(targets: str) -> list[str]:
    """CMake's, of $PLAIT_CUDA: empty, 1, or compute capabilities without their points."""
    if not targets:
        return ["-DPLAIT_BUILD_CUDA=OFF"]
    if targets == "1":
        return ["-DPLAIT_BUILD_CUDA=ON", "-UPLAIT_CUDA_ARCHITECTURES"]
    numbers = targets.split(",")
    if not all(number.isdigit() and len(number) in (2, 3) for number in numbers):
        raise SystemExit(f"PLAIT_CUDA is 1, or compute capabilities such as 87 or 86,89: {targets}")
    architectures = ";".join(f"{number}-real" for number in numbers)
    return ["-DPLAIT_BUILD_CUDA=ON", f"-DPLAIT_CUDA_ARCHITECTURES={architectures}"]


class CMakeBuild(build_ext):
    """Configures, builds and installs into the package's own folder."""

    def build_extension(self, ext: Extension) -> None:
        """Runs CMake for plait._core; the library, headers and CMake files come with it."""
        cmake = shutil.which("cmake")
        if cmake is None:
            raise SystemExit("Plait needs CMake 3.22 or newer to build: apt install cmake")
        package = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        build = ROOT / "build" / f"python-{sys.version_info[0]}.{sys.version_info[1]}"
        configure = [
            cmake,
            f"-S{ROOT}",
            f"-B{build}",
            "-DCMAKE_BUILD_TYPE=Release",
            "-DPLAIT_BUILD_PYTHON=ON",
            "-DPLAIT_VERSIONED_LIBRARY=OFF",
            "-DCMAKE_INSTALL_LIBDIR=lib",
            f"-DCMAKE_INSTALL_PREFIX={package}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            f"-DPython_EXECUTABLE={sys.executable}",
        ]
        targets = os.environ.get("PLAIT_CUDA", "")
        configure += cuda_options(targets)
        if shutil.which("ninja"):
            configure += ["-GNinja"]
        if shutil.which("ccache"):
            configure += ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
        jobs = os.environ.get("PLAIT_BUILD_JOBS", str(os.cpu_count() or 1))
        subprocess.run(configure, check=True)
        subprocess.run([cmake, "--build", str(build), "--parallel", jobs], check=True)
        subprocess.run([cmake, "--install", str(build), "--strip"], check=True)
        missing = [name for name in CUDA_LIBRARIES if not (package / "lib" / name).exists()]
        if targets and missing:
            raise SystemExit(
                f"PLAIT_CUDA={targets} asks for {' and '.join(missing)}, which CMake left out: "
                "is nvcc on the PATH, in CUDA_HOME or in /usr/local/cuda, and has scripts/setup "
                "fetched TensorRT's headers, or PLAIT_TENSORRT_INCLUDE named them?"
            )


setup(
    packages=find_packages("python") + find_packages("export"),
    package_dir={"plait": "python/plait", "plait_export": "export/plait_export"},
    package_data={"plait": ["py.typed", "*.pyi"], "plait_export": ["py.typed"]},
    ext_modules=[Extension("plait._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)
