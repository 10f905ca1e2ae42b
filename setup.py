"""setup.py: has CMake build the core and the extension, and puts both into the wheel."""

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
        if shutil.which("ninja"):
            configure += ["-GNinja"]
        if shutil.which("ccache"):
            configure += ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
        jobs = os.environ.get("PLAIT_BUILD_JOBS", str(os.cpu_count() or 1))
        subprocess.run(configure, check=True)
        subprocess.run([cmake, "--build", str(build), "--parallel", jobs], check=True)
        subprocess.run([cmake, "--install", str(build), "--strip"], check=True)


setup(
    packages=find_packages("python") + find_packages("export"),
    package_dir={"plait": "python/plait", "plait_export": "export/plait_export"},
    package_data={"plait": ["py.typed", "*.pyi"], "plait_export": ["py.typed"]},
    ext_modules=[Extension("plait._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)
