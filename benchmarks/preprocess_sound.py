"""What preparing sound costs, against the libraries that models are trained with.

    python benchmarks/preprocess.py [--json FILE] [--quick]

One thread everywhere. Peers compute the same features from the same noise; every answer is compared
with ours before anything is timed. Peers that are not installed are left out.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

if not __package__:  # run as a file: its neighbours are found from the project's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import plait
from benchmarks import harness
from plait_export.describe.sound_features import LogMel
from plait_export.reference.sound import mel_weights
from tests.cases.sounds import model_of, sound

RATE, SECONDS = 16000, 30
LENGTH, STEP, BANDS = 400, 160, 80
COPIED_BYTES = 64 << 20
Values = NDArray[np.float32]


def optional(name: str) -> Any:
    """The module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def finished(logs: Any) -> Any:
    """Whisper's last steps: eight decades below the loudest, then a shift and a scale."""
    return (np.maximum(logs, logs.max() - np.float32(8)) + np.float32(4)) / np.float32(4)


def by_numpy(weights: Values) -> Callable[[Values], Values]:
    """Strided frames, numpy.fft.rfft, one matrix product."""
    window = np.hanning(LENGTH + 1)[:-1].astype(np.float32)

    def run(pcm: Values) -> Values:
        padded = np.pad(pcm, LENGTH // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, LENGTH)[::STEP][:-1] * window
        power = np.abs(np.fft.rfft(frames, axis=-1)) ** 2
        features: Values = finished(np.log10(np.maximum(weights @ power.T, np.float32(1e-10))))
        return features

    return run


def by_torch(torch: Any, weights: Values) -> Callable[[Values], Any]:
    """What transformers runs where torch is installed."""
    torch.set_num_threads(1)
    window = torch.hann_window(LENGTH)
    matrix = torch.from_numpy(weights)

    def run(pcm: Values) -> Any:
        spectrum = torch.stft(
            torch.from_numpy(pcm), LENGTH, STEP, window=window, return_complex=True
        )
        power = (spectrum[..., :-1].abs() ** 2).contiguous()
        logs = (matrix @ power).clamp(min=1e-10).log10()
        return ((torch.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0).numpy()

    return run


def by_onnxruntime(weights: Values, samples: int) -> Callable[[Values], Values]:
    """One graph around STFT, of one thread."""
    constants: dict[str, NDArray[Any]] = {
        "pads": np.array([0, LENGTH // 2, 0, LENGTH // 2], np.int64),
        "step": np.array(STEP, np.int64),
        "length": np.array(LENGTH, np.int64),
        "window": np.hanning(LENGTH + 1)[:-1].astype(np.float32),
        "mel": weights,
        "starts": np.array([0], np.int64),
        "ends": np.array([-1], np.int64),
        "frames_axis": np.array([1], np.int64),
        "parts_axis": np.array([3], np.int64),
        "last_axis": np.array([2], np.int64),
        "floor": np.array(1e-10, np.float32),
        "decades": np.array(1 / np.log(10), np.float32),
        "range": np.array(8, np.float32),
        "four": np.array(4, np.float32),
    }
    nodes = [
        helper.make_node("Pad", ["pcm", "pads"], ["padded"], mode="reflect"),
        helper.make_node("Unsqueeze", ["padded", "last_axis"], ["signal"]),
        helper.make_node("STFT", ["signal", "step", "window", "length"], ["all"], onesided=1),
        helper.make_node("Slice", ["all", "starts", "ends", "frames_axis"], ["spectrum"]),
        helper.make_node("ReduceSumSquare", ["spectrum", "parts_axis"], ["power"], keepdims=0),
        helper.make_node("Transpose", ["power"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["mel", "columns"], ["bands"]),
        helper.make_node("Max", ["bands", "floor"], ["floored"]),
        helper.make_node("Log", ["floored"], ["natural"]),
        helper.make_node("Mul", ["natural", "decades"], ["logs"]),
        helper.make_node("ReduceMax", ["logs"], ["largest"], keepdims=0),
        helper.make_node("Sub", ["largest", "range"], ["least"]),
        helper.make_node("Max", ["logs", "least"], ["limited"]),
        helper.make_node("Add", ["limited", "four"], ["shifted"]),
        helper.make_node("Div", ["shifted", "four"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "log_mel",
        [helper.make_tensor_value_info("pcm", TensorProto.FLOAT, [1, samples])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, BANDS, samples // STEP])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    onnx.checker.check_model(model)

    def run(pcm: Values) -> Values:
        features: Values = session.run(None, {"pcm": pcm[None]})[0][0]
        return features

    return run


def by_kaldi(kaldi: Any) -> Callable[[Values], Values]:
    """kaldi-native-fbank: all frames of one sound."""
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = BANDS

    def run(pcm: Values) -> Values:
        fbank = kaldi.OnlineFbank(options)
        fbank.accept_waveform(RATE, pcm)
        fbank.input_finished()
        return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])

    return run


def our_model(folder: Path) -> plait.Model:
    """One microphone a way of preparing."""
    whisper = LogMel.whisper(BANDS)
    kaldi = LogMel.kaldi(bins=BANDS, gain=32768.0)
    waveform = importlib.import_module("plait_export").Waveform()
    return model_of(
        folder / "sounds.plait",
        whisper=sound(whisper, window=RATE),
        whisper_30s=sound(whisper, window=SECONDS * RATE),
        kaldi=sound(kaldi, window=RATE),
        resampled=sound(waveform, window=RATE, sensor_rate_hz=48000),
    )


def contestants(model: plait.Model) -> dict[str, tuple[str, Callable[[], Any]]]:
    """By name: the modality whose answer it is to give, and the call."""
    generator = np.random.default_rng(0)
    pcm = (0.1 * generator.standard_normal(SECONDS * RATE)).astype(np.float32)
    second, fast = pcm[:RATE], pcm[: 3 * RATE]
    weights = mel_weights(LogMel.whisper(BANDS), RATE).astype(np.float32)
    inputs = {"whisper": second, "whisper_30s": pcm, "kaldi": second, "resampled": fast}
    calls: dict[str, tuple[str, Callable[[], Any]]] = {}
    for name, values in inputs.items():
        calls[name] = (name, lambda name=name, values=values: model.prepare(name, values)[0])
    pools = optional("threadpoolctl")
    if pools is not None:  # without it NumPy's matrix product takes every core
        pools.threadpool_limits(1)
        numpy_run = by_numpy(weights)
        calls["NumPy"] = ("whisper", lambda: numpy_run(second))
    onnx_run = by_onnxruntime(weights, RATE)
    calls["ONNX Runtime STFT"] = ("whisper", lambda: onnx_run(second))
    torch, transformers = optional("torch"), optional("transformers")
    if torch is not None:
        torch_run = by_torch(torch, weights)
        calls["torch"] = ("whisper", lambda: torch_run(second))
    if transformers is not None:
        extractor = transformers.WhisperFeatureExtractor()
        calls["WhisperFeatureExtractor"] = (
            "whisper_30s",
            lambda: extractor(pcm, sampling_rate=RATE, return_tensors="np").input_features[0],
        )
    kaldi = optional("kaldi_native_fbank")
    if kaldi is not None:
        kaldi_run, scaled = by_kaldi(kaldi), second * np.float32(32768)
        calls["kaldi-native-fbank"] = ("kaldi", lambda: kaldi_run(scaled))
    soxr, signal = optional("soxr"), optional("scipy.signal")
    if soxr is not None:
        calls["soxr VHQ"] = ("", lambda: soxr.resample(fast, 48000, RATE, quality="VHQ"))
        calls["soxr HQ"] = ("", lambda: soxr.resample(fast, 48000, RATE, quality="HQ"))
    if signal is not None:
        calls["SciPy resample_poly"] = ("", lambda: signal.resample_poly(fast, 1, 3))
    source = np.ones(COPIED_BYTES, np.uint8)
    target = np.zeros_like(source)
    calls["copy"] = ("", lambda: np.copyto(target, source))
    return calls


def check(calls: dict[str, tuple[str, Callable[[], Any]]]) -> None:
    """All that claim the same features give them, within float32's rounding of the peers."""
    for name, (ours, call) in calls.items():
        if not ours or name == ours:
            continue
        mine, theirs = calls[ours][1](), np.asarray(call())
        if mine.shape != theirs.shape:
            theirs = theirs.T
        difference = float(np.abs(mine - theirs).max())
        if difference > 1e-3:
            raise SystemExit(f"{name} differs from ours by {difference:.2g}: not the same work")


COMPARISONS = (
    ("whisper", "NumPy", RATE, ""),
    ("whisper", "torch", RATE, ""),
    ("whisper", "ONNX Runtime STFT", RATE, ""),
    ("whisper_30s", "WhisperFeatureExtractor", SECONDS * RATE, ""),
    (
        "kaldi",
        "kaldi-native-fbank",
        RATE,
        "about half of the peer's time is its Python binding and set-up",
    ),
    ("resampled", "soxr VHQ", 3 * RATE, "another filter"),
    ("resampled", "soxr HQ", 3 * RATE, "another filter; in a tight loop soxr HQ is faster"),
    ("resampled", "SciPy resample_poly", 3 * RATE, "another, shorter filter"),
)
NAMES = {
    "whisper": "log-mel of Whisper, 1 s",
    "whisper_30s": "log-mel of Whisper, 30 s",
    "kaldi": "fbank of Kaldi, 1 s",
    "resampled": "resampling 48 to 16 kHz, 1 s",
}


def rows(rounds: int, seed: int) -> list[harness.Row]:
    """Measures every contestant; one row a comparison."""
    with tempfile.TemporaryDirectory() as folder:
        calls = contestants(our_model(Path(folder)))
        check(calls)
        timed = {name: call for name, (_, call) in calls.items()}
        taken = harness.interleave(timed, min(rounds, 40), seed, warm_up=3)
    copy_rate = COPIED_BYTES / (taken["copy"].median / 1e3)
    measured = []
    for ours, peer, samples, note in COMPARISONS:
        if peer not in taken:
            continue
        mine, size = taken[ours].median, 4 * samples
        rate = f"{size / (mine / 1e3) / 1e9:.2f} GB/s of samples"
        measured.append(
            harness.Row(
                name=NAMES[ours],
                ours_ms=mine,
                peer=peer,
                peer_ms=taken[peer].median,
                ratio=taken[peer].median / mine,
                roofline_ms=size / copy_rate * 1e3,
                note=f"{rate}, copying {copy_rate / 1e9:.1f} GB/s" + (f"; {note}" if note else ""),
            )
        )
    return measured
