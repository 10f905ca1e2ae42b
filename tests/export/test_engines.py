"""Graphs for engines: what they keep in float32, and that the gate judges what a device answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.quant_utils import QuantType
from torch import Tensor, nn

import plait
from plait import ConfigError
from plait.doctor import replay
from plait_export import Classification, Deployment, Gate, accuracy, export
from plait_export.engines import EngineFloat16, EngineInt8, must_stay_float, rounded_twin
from plait_export.engines.half import half
from plait_export.graphs import Graph, TensorDescription
from plait_export.quantize import Quantizable, make_quantizable
from tests.export.models import LABELS, Encoder, Fusion, signal

HALF = np.finfo(np.float16)
WINDOW = 37


class LoudNorm(nn.Module):
    """An encoder with a layer norm, written out, whose squares float16 can't hold.

    Features are around 700: float16 holds them, but not 700 * 700.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels * WINDOW, 32)
        self.second = nn.Linear(32, size)

    def forward(self, sample: Tensor) -> Tensor:
        features = 2000.0 * torch.tanh(self.first(sample.flatten(1)))
        centred = features - features.mean(dim=1, keepdim=True)
        variance = (centred * centred).mean(dim=1, keepdim=True)
        embedding: Tensor = self.second(centred / torch.sqrt(variance + 1e-5))
        return embedding


def loud_deployment() -> Deployment:
    head = Classification(Fusion((7,), 3), LABELS)
    return Deployment(
        name="loud",
        modalities={"motion": signal(LoudNorm(5, 7), 5, WINDOW)},
        heads={"activity": head},
    )


def draw(generator: np.random.Generator) -> dict[str, Any]:
    return {"motion": generator.normal(size=(WINDOW, 5)).astype(np.float32)}


def gated(deployment: Deployment, seed: int, max_drop: float) -> dict[str, Any]:
    """Targets are what the network itself says, so that FP32 is always right. Its labels are made
    about as frequent as each other: one that says one label could lose its embedding unseen."""
    generator = np.random.default_rng(seed)
    samples = [draw(generator) for _ in range(80)]
    encoder = deployment.modalities["motion"].encoder.eval()
    head = deployment.heads["activity"].module.eval()
    batch = torch.from_numpy(np.stack([sample["motion"].T for sample in samples]))
    with torch.no_grad():
        logits = head(encoder(batch), torch.ones(len(samples), 1))
        head.output.bias -= logits.mean(dim=0)
        targets = (logits - logits.mean(dim=0)).argmax(dim=1).tolist()
    held_out = list(zip(samples, targets, strict=True))
    return {
        "samples": samples[:20],
        "gate": Gate(accuracy, held_out, max_drop=max_drop),
    }


def run(model: onnx.ModelProto, feeds: dict[str, Any]) -> np.ndarray[Any, Any]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, feeds)[0])


def traced(module: nn.Module, example: Tensor) -> Graph:
    program = torch.onnx.export(module.eval(), (example,), dynamo=True, opset_version=20)
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        node.name = node.output[0]
    (entry,), (output,) = model.graph.input, model.graph.output
    described = TensorDescription(entry.name, tuple(example.shape[1:]))
    return Graph("net", "encoder", (described,), TensorDescription(output.name, ()),
                 model.SerializeToString())  # fmt: skip


def quantizable(module: nn.Module, batch: np.ndarray[Any, Any]) -> Quantizable:
    graph = traced(module, torch.from_numpy(batch[:1]))
    (entry,) = graph.inputs
    feeds = [{entry.name: batch[i : i + 1]} for i in range(len(batch))]
    joined = make_quantizable(graph, feeds[:1])
    ranges = dict(joined.ranges)
    for feed in feeds[1:]:
        for name, (low, high) in make_quantizable(graph, [feed]).ranges.items():
            ranges[name] = (min(low, ranges[name][0]), max(high, ranges[name][1]))
    return Quantizable(graph, joined.folded, joined.layers, ranges)


def test_a_norm_that_overflows_is_repaired_and_the_bundle_says_so(
    tmp_path: Path, seed: int
) -> None:
    deployment = loud_deployment()
    path = tmp_path / "loud.plait"
    report = export(
        deployment, path, precisions=("fp32",), engines=("fp16",), **gated(deployment, seed, 0.05)
    )
    attempts = {attempt.precision: attempt for attempt in report.attempts}
    assert attempts["fp16_tensorrt"].outcome == "passed"
    manifest = plait.Bundle(str(path)).manifest
    (variant,) = [v for v in manifest["variants"] if v["precision"] == "fp16_tensorrt"]
    assert variant["target"] == "tensorrt"
    kept = {row["operator"]: row["why"] for row in variant["kept_fp32"]}
    assert {"ReduceMean", "Div", "Sqrt"} <= kept.keys()
    assert manifest["default_precision"] == "fp32"


def test_the_unrepaired_graph_of_that_norm_is_rejected_by_the_gate(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the range pass, and with nothing that a repair could leave in float."""
    deployment = loud_deployment()
    monkeypatch.setattr(EngineFloat16, "forced", lambda self, graph: {})
    monkeypatch.setattr(EngineFloat16, "layers", lambda self, graph: {})
    report = export(
        deployment,
        tmp_path / "loud.plait",
        precisions=("fp32",),
        engines=("fp16",),
        **gated(deployment, seed, 0.05),
    )
    (refused, *_) = [a for a in report.attempts if a.precision == "fp16_tensorrt"]
    assert not refused.passed
    assert refused.scores[0].drop > 0.05
    assert any("fp16_tensorrt was not written" in warning for warning in report.warnings)


def test_reasons_name_what_float16_cannot_hold(seed: int) -> None:
    class Scaled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            large = x * 5e4
            small = x * 1e-6
            return torch.relu(large) * 1e-4 + torch.softmax(small, dim=1) + x

    generator = np.random.default_rng(seed)
    batch = generator.uniform(-1.0, 1.0, size=(9, 11)).astype(np.float32)
    graph = quantizable(Scaled(), batch)
    reasons = must_stay_float(graph)
    operators = {node.name: node.op_type for node in graph.folded.graph.node}
    told = [(operators[name], reason) for name, reason in reasons.items()]
    assert any(op == "Relu" and "65504" in reason for op, reason in told)
    assert any(op == "Mul" and "loses digits" in reason for op, reason in told)
    assert any(op == "Softmax" and "sums" in reason for op, reason in told)
    # The last sum reads neither.
    assert "Add" in set(operators.values()) - {op for op, _ in told} or len(
        [op for op, _ in told if op == "Add"]
    ) < list(operators.values()).count("Add")


def test_values_near_the_end_of_float16_leave_room_for_other_samples(seed: int) -> None:
    class Gain(nn.Module):
        def __init__(self, gain: float) -> None:
            super().__init__()
            self.gain = gain

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x * self.gain) * 0.5

    ones = np.ones((2, 5), dtype=np.float32)
    assert must_stay_float(quantizable(Gain(40000.0), ones))
    assert not must_stay_float(quantizable(Gain(30000.0), ones))


def test_the_twin_answers_as_torch_does_in_float16(seed: int) -> None:
    net = nn.Sequential(nn.Linear(13, 31), nn.ReLU(), nn.Linear(31, 6)).eval()
    batch = np.random.default_rng(seed).normal(size=(1, 13)).astype(np.float32)
    graph = quantizable(net, batch)
    twin = rounded_twin(half(graph.folded, ()))
    (entry,) = graph.graph.inputs
    answered = run(twin, {entry.name: batch})
    with torch.no_grad():
        expected = net.half()(torch.from_numpy(batch).half()).float().numpy()
    # One rounding of a sum may fall to the other side, and passes through the second layer.
    np.testing.assert_allclose(
        answered, expected, atol=4 * float(HALF.eps) * np.abs(expected).max()
    )
    assert np.array_equal(answered, answered.astype(np.float16).astype(np.float32))


def test_the_twin_overflows_where_float16_does() -> None:
    """ONNX Runtime itself computes the same graph in float32, and sees nothing."""
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["square"], name="square"),
        helper.make_node("Sqrt", ["square"], ["y"], name="root"),
    ]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "squares", [value], [answer])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    typed = half(onnx.shape_inference.infer_shapes(model), ())
    feeds = {"x": np.array([[2.0, 200.0, 300.0]], dtype=np.float32)}
    assert np.isfinite(run(typed, feeds)).all()
    assert run(rounded_twin(typed), feeds).tolist() == [[2.0, 200.0, np.inf]]


def test_nodes_that_stay_have_float32_weights_and_the_others_float16(seed: int) -> None:
    net = nn.Sequential(nn.Linear(13, 31), nn.ReLU(), nn.Linear(31, 6))
    batch = np.random.default_rng(seed).normal(size=(3, 13)).astype(np.float32)
    graph = quantizable(net, batch)
    first, second = graph.layers
    model = onnx.load_model_from_string(EngineFloat16().apply(graph, frozenset([first])))
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    nodes = {node.name: node for node in model.graph.node}
    assert {types[name] for name in nodes[first].input[1:]} == {TensorProto.FLOAT}
    assert {types[name] for name in nodes[second].input[1:]} == {TensorProto.FLOAT16}
    assert model.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    onnx.checker.check_model(model, full_check=True)


def test_8_bits_are_symmetric_and_biases_stay_in_float(seed: int) -> None:
    net = nn.Sequential(nn.Conv1d(3, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 9, 6))
    batch = np.random.default_rng(seed).normal(1.0, size=(3, 3, 13)).astype(np.float32)
    graph = quantizable(net, batch)
    scheme = EngineInt8("symmetric", QuantType.QInt8, QuantType.QInt8, per_channel=True)
    model = onnx.load_model_from_string(scheme.apply(graph, frozenset()))
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    pairs = [n for n in model.graph.node if n.op_type.endswith("QuantizeLinear")]
    pairs += [n for n in model.graph.node if n.op_type == "DequantizeLinear"]
    assert len(pairs) >= 6
    for node in pairs:
        zero = constants[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
    weights = [constants[n.input[0]] for n in pairs if n.input[0] in constants]
    assert sorted(weight.shape for weight in weights) == [(6, 72), (8, 3, 5)]
    assert all(np.abs(weight.astype(int)).max() == 127 for weight in weights)
    layers = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm")]
    assert all(constants[n.input[2]].dtype == np.float32 for n in layers)
    (entry,) = graph.graph.inputs
    plain = run(onnx.load_model_from_string(graph.graph.onnx), {entry.name: batch[:1]})
    answered = run(model, {entry.name: batch[:1]})
    assert 0.0 < np.abs(answered - plain).max() < 0.05 * np.abs(plain).max()


def test_engine_variants_are_recorded_and_the_doctor_finds_them_right(
    tmp_path: Path, seed: int
) -> None:
    head = Classification(Fusion((7,), 3), LABELS)
    deployment = Deployment(
        name="quiet",
        modalities={"motion": signal(Encoder(5, 7), 5, WINDOW)},
        heads={"activity": head},
    )
    path = tmp_path / "quiet.plait"
    export(
        deployment,
        path,
        precisions=("fp32", "int8"),
        engines=("fp16", "int8"),
        **gated(deployment, seed, 1.0),
    )
    names = [variant["precision"] for variant in plait.Bundle(str(path)).manifest["variants"]]
    assert names[-2:] == ["fp16_tensorrt", "int8_tensorrt"]
    diagnosis = replay(path)
    assert diagnosis.ok, diagnosis.causes
    assert {check.precision for check in diagnosis.checks} >= {"fp16_tensorrt", "int8_tensorrt"}


def test_engines_without_a_gate_are_not_written(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    samples = [draw(generator) for _ in range(4)]
    report = export(
        loud_deployment(), tmp_path / "a.plait", samples=samples, precisions=("fp32",),
        engines=("int8",),
    )  # fmt: skip
    assert report.warnings == ["int8_tensorrt was not written: there is no gate to judge it by"]


@pytest.mark.parametrize("wrong", ["fp16", ("fp32",), ("fp8",)])
def test_an_engine_precision_that_there_is_not_is_told(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(ConfigError, match="engines"):
        export(
            loud_deployment(),
            tmp_path / "a.plait",
            samples=[draw(np.random.default_rng(1))],
            engines=wrong,
        )
