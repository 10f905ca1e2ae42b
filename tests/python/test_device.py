"""Which device a bundle is loaded on: what is refused here says what is missing and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import plait
from plait import _core
from plait.cli.application import run
from plait.cli.outcome import ExitCode
from plait.doctor import replay


def test_an_unknown_device_is_refused_with_those_there_are(tiny_bundle: Path) -> None:
    with pytest.raises(plait.ConfigError) as error:
        plait.load(tiny_bundle, device="gpu")
    for device in ("auto", "cpu", "tensorrt", "cuda", "cuda-tensorrt"):
        assert f"'{device}'" in error.value.expected


@pytest.mark.parametrize("library", ["tensorrt", "cudart"])
def test_a_library_that_is_not_there_is_named(tiny_bundle: Path, library: str) -> None:
    missing = "/nowhere/lib" + library + ".so"
    with pytest.raises(plait.BackendError) as error:
        plait.load(tiny_bundle, device="tensorrt", **{library: missing})
    # CUDA is opened first; where it is missing too, its own error is the one that helps.
    assert missing in str(error.value) or error.value.where == "CUDA"
    assert error.value.action


def test_what_engines_depend_on_is_not_guessed_without_tensorrt() -> None:
    with pytest.raises(plait.BackendError) as error:
        _core.engine_platform(tensorrt="/nowhere/libnvinfer.so")
    assert "/nowhere/libnvinfer.so" in error.value.got


@pytest.mark.parametrize(
    ("device", "provider"),
    [("cuda", "CUDAExecutionProvider"), ("cuda-tensorrt", "TensorrtExecutionProvider")],
)
def test_a_provider_that_this_onnx_runtime_lacks_is_named(
    tiny_bundle: Path, device: str, provider: str
) -> None:
    import onnxruntime

    if provider in onnxruntime.get_available_providers():
        pytest.skip(f"this ONNX Runtime has the {provider}")
    with pytest.raises(plait.BackendError) as error:
        plait.load(tiny_bundle, device=device)
    assert provider in error.value.expected
    assert "CPUExecutionProvider" in error.value.got


def test_the_cpu_answers_as_auto_does(tiny_bundle: Path) -> None:
    diagnosis = replay(tiny_bundle, device="cpu", threads=1)
    assert diagnosis.ok
    assert all(", cpu, " in backend for backend in diagnosis.backends.values())


def test_commands_take_a_device(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", str(tiny_bundle), "--device", "cpu", "--threads", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    bench = ["bench", str(tiny_bundle), "--rounds", "1", "--device"]
    assert run([*bench, "cpu"]) == 0
    assert run([*bench, "gpu"]) == ExitCode.USAGE
    assert "cuda-tensorrt" in capsys.readouterr().err
