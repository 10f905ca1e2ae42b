"""The installed package: what importing it brings, what it weighs, how it finds ONNX Runtime."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import plait

ROOT = Path(__file__).parents[2]
MEBIBYTE = 1 << 20


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_import_and_run_need_no_torch_no_onnxruntime_module_and_no_command_line(
    tiny_bundle: Path,
) -> None:
    done = run(
        "import sys, numpy, plait\n"
        f"model = plait.load({str(tiny_bundle)!r})\n"
        "model(accelerometer=numpy.zeros((37, 3), 'f'), gyroscope=None, ecg=None)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    assert done.returncode == 0, done.stderr
    modules = done.stdout
    for heavy in ("torch", "onnxruntime", "onnx", "typer", "rich", "cv2", "matplotlib", "scipy"):
        assert f"'{heavy}'" not in modules


def test_versions_agree() -> None:
    project = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    cmake = re.search(r"project\(plait VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
    assert project and cmake
    assert project[1] == cmake[1] == plait.version() == plait.__version__


def test_packages_compress_to_less_than_five_mebibytes() -> None:
    import plait_export

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in (plait, plait_export):
            assert package.__file__
            folder = Path(package.__file__).parent
            for file in folder.rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(folder.parent))
    assert len(buffer.getvalue()) < 5 * MEBIBYTE


def test_cmake_dir_holds_the_package_configuration() -> None:
    assert (Path(plait.cmake_dir()) / "plaitConfig.cmake").is_file()


def test_missing_onnxruntime_is_a_backend_error_that_says_what_to_do(tiny_bundle: Path) -> None:
    done = run(
        f"import plait\nplait.load({str(tiny_bundle)!r})",
        PLAIT_ONNXRUNTIME="/nowhere/libonnxruntime.so",
    )
    assert done.returncode == 1
    assert "plait.errors.BackendError" in done.stderr
    assert "/nowhere/libonnxruntime.so" in done.stderr and "pip install onnxruntime" in done.stderr


@pytest.mark.parametrize(
    ("source", "mention"),
    [
        ("int not_onnxruntime;", "OrtGetApiBase"),
        (
            """
            struct Base { const void* (*get)(unsigned); const char* (*version)(void); };
            static const void* get(unsigned level) { (void)level; return 0; }
            static const char* version(void) { return "1.9.1"; }
            static const struct Base base = {get, version};
            const struct Base* OrtGetApiBase(void) { return &base; }
            """,
            "1.9.1",
        ),
    ],
    ids=["another library", "too old"],
)
def test_onnxruntime_that_cannot_serve_is_a_backend_error(
    tiny_bundle: Path, tmp_path: Path, source: str, mention: str
) -> None:
    code = tmp_path / "library.c"
    code.write_text(source)
    library = tmp_path / "libonnxruntime.so"
    subprocess.run(["cc", "-shared", "-fPIC", code, "-o", library], check=True)
    done = run(f"import plait\nplait.load({str(tiny_bundle)!r})", PLAIT_ONNXRUNTIME=str(library))
    assert done.returncode == 1
    assert "plait.errors.BackendError" in done.stderr
    assert mention in done.stderr and "1.17" in done.stderr


def test_a_second_onnxruntime_in_one_process_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    plait.load(tiny_bundle)
    other = tmp_path / "libonnxruntime.so"
    other.write_bytes(b"")
    with pytest.raises(plait.ConfigError, match="one ONNX Runtime"):
        plait.load(tiny_bundle, onnxruntime=other)
