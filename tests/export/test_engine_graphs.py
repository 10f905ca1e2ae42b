"""Graphs for engines of every kind of node: loops, 8 bits in float16; TensorRT takes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.quant_utils import QuantType
from torch import Tensor, nn

from plait_export import Classification, Deployment, Embedding, agreement, script
from plait_export.agreement import cosine_agreement
from plait_export.engines import EngineFloat16, EngineInt8InHalf, must_stay_float, rounded_twin
from plait_export.engines.half import half
from plait_export.graphs import drop_unused_domains
from plait_export.ops.batch import each
from tests.export.models import LABELS, Encoder, Fusion, signal
from tests.export.test_engines import quantizable, run

S8 = QuantType.QInt8
IN_HALF = EngineInt8InHalf("in half", S8, S8, per_channel=True)

BUILD = """
import sys
import tensorrt_rtx_bindings as trt
logger = trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(0)
parser = trt.OnnxParser(network, logger)
if not parser.parse_from_file(sys.argv[1]):
    sys.exit(str([parser.get_error(i).desc() for i in range(parser.num_errors)]))
config = builder.create_builder_config()
config.num_compute_capabilities = 1
config.set_compute_capability(trt.ComputeCapability.SM86, 0)
profile = builder.create_optimization_profile()
for index in range(network.num_inputs):
    tensor = network.get_input(index)
    shape = [1 if size == -1 else size for size in tensor.shape]
    profile.set_shape(tensor.name, shape, shape, shape)
config.add_optimization_profile(profile)
sys.exit(0 if builder.build_serialized_network(network, config) else "no engine")
"""


class Looped(nn.Module):
    """A layer, a loop over the batch that reads a tensor from around it, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(11, 13)
        self.second = nn.Linear(13, 5)

    def forward(self, sample: Tensor) -> Tensor:
        features = self.first(sample)
        cumulated = each(lambda row: torch.cumsum(row, 0) + row, features)
        answer: Tensor = self.second(torch.relu(cumulated))
        return answer


def reading_loop() -> onnx.ModelProto:
    """y = the rows of x, each with the first row of relu(w * x) added by a Scan from around it."""
    inner = helper.make_graph(
        [
            helper.make_node("Add", ["row", "first"], ["sum"], name="sum"),
            helper.make_node("Identity", ["kept"], ["kept_out"], name="same"),
        ],
        "body",
        [
            helper.make_tensor_value_info("kept", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("row", TensorProto.FLOAT, [3]),
        ],
        [
            helper.make_tensor_value_info("kept_out", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [3]),
        ],
    )
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["scaled"], name="scale"),
        helper.make_node("Relu", ["scaled"], ["positive"], name="relu"),
        helper.make_node("Gather", ["positive", "zero"], ["first"], name="first", axis=0),
        helper.make_node(
            "Scan", ["start", "x"], ["last", "stacked"], name="loop", body=inner, num_scan_inputs=1
        ),
        helper.make_node("Mul", ["stacked", "w"], ["y"], name="again"),
    ]
    constants = [
        numpy_helper.from_array(np.float32([0.3, 1.7, -0.9]), "w"),
        numpy_helper.from_array(np.int64(0), "zero"),
        numpy_helper.from_array(np.float32([0.0]), "start"),
    ]
    graph = helper.make_graph(
        nodes,
        "loop",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
        constants,
    )
    opset = [helper.make_opsetid("", 20)]
    return onnx.shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=opset, ir_version=10)
    )


def test_a_loop_reads_in_float32_what_is_stored_in_float16_around_it(seed: int) -> None:
    model = reading_loop()
    typed = half(model, ())
    onnx.checker.check_model(typed, full_check=True)
    x = np.random.default_rng(seed).normal(size=(2, 3)).astype(np.float32)
    w = np.float32([0.3, 1.7, -0.9])
    expected = (x + np.maximum(x[0] * w, 0.0)) * w
    for made in (typed, rounded_twin(typed)):
        answer = run(made, {"x": x})
        assert 0.0 < np.abs(answer - expected).max() < 4e-3 * np.abs(expected).max()


def test_around_a_loop_layers_are_in_float16_and_the_loop_is_not(seed: int) -> None:
    batch = np.random.default_rng(seed).normal(size=(1, 11)).astype(np.float32)
    module = Looped().eval()
    graph = quantizable(module, batch)
    reasons = must_stay_float(graph)
    operators = {node.name: node.op_type for node in graph.folded.graph.node}
    assert "loop" in next(why for name, why in reasons.items() if operators[name] == "Scan")
    model = onnx.load_model_from_string(EngineFloat16().apply(graph, frozenset()))
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    layers = [node for node in model.graph.node if node.op_type in ("Gemm", "MatMul")]
    assert len(layers) == 2
    assert {types[node.input[1]] for node in layers} == {TensorProto.FLOAT16}
    with torch.no_grad():
        expected = module(torch.from_numpy(batch)).numpy()
    (entry,) = graph.graph.inputs
    answer = run(rounded_twin(model), {entry.name: batch})
    assert np.abs(answer - expected).max() < 1e-2 * np.abs(expected).max()


def test_between_8_bit_layers_values_are_in_float16(seed: int) -> None:
    net = nn.Sequential(nn.Linear(17, 29), nn.ReLU(), nn.Linear(29, 6)).eval()
    batch = np.random.default_rng(seed).normal(size=(1, 17)).astype(np.float32)
    graph = quantizable(net, batch)
    model = onnx.load_model_from_string(IN_HALF.apply(graph, frozenset()))
    onnx.checker.check_model(model, full_check=True)
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    pairs = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(pairs) >= 6
    assert {constants[n.input[1]].dtype for n in pairs} == {np.dtype(np.float16)}
    layers = [n for n in model.graph.node if n.op_type in ("Gemm", "MatMul")]
    assert {constants[n.input[2]].dtype for n in layers} == {np.dtype(np.float16)}
    (entry,) = graph.graph.inputs
    plain = run(onnx.load_model_from_string(graph.graph.onnx), {entry.name: batch})
    answer = run(onnx.load_model_from_string(IN_HALF.judged(model.SerializeToString())),
                 {entry.name: batch})  # fmt: skip
    assert 0.0 < np.abs(answer - plain).max() < 0.05 * np.abs(plain).max()


def test_8_bit_values_that_float16_cannot_hold_are_given_back_in_float32(seed: int) -> None:
    class Loud(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(7, 9, bias=False)
            self.second = nn.Linear(9, 5, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.second(self.first(x) * 1e6)
            return answer

    batch = np.random.default_rng(seed).uniform(1.0, 2.0, size=(1, 7)).astype(np.float32)
    graph = quantizable(Loud(), batch)
    model = onnx.load_model_from_string(IN_HALF.apply(graph, frozenset()))
    twin = onnx.load_model_from_string(IN_HALF.judged(model.SerializeToString()))
    (entry,) = graph.graph.inputs
    plain = run(onnx.load_model_from_string(graph.graph.onnx), {entry.name: batch})
    answer = run(twin, {entry.name: batch})
    assert np.isfinite(answer).all()
    assert np.abs(answer - plain).max() < 0.1 * np.abs(plain).max()


def test_a_domain_that_only_a_loop_uses_is_still_named() -> None:
    model = reading_loop()
    model.opset_import.append(helper.make_opsetid("ai.plait", 1))
    model.opset_import.append(helper.make_opsetid("com.other", 1))
    (scan,) = [node for node in model.graph.node if node.op_type == "Scan"]
    body = next(a for a in scan.attribute if a.name == "body").g
    body.node[0].domain = "ai.plait"
    drop_unused_domains(model)
    assert [opset.domain for opset in model.opset_import] == ["", "ai.plait"]


@pytest.mark.parametrize("scheme", [EngineFloat16(), IN_HALF], ids=["fp16", "int8"])
def test_tensorrt_builds_an_engine_of_it(tmp_path: Path, seed: int, scheme: Any) -> None:
    pytest.importorskip("tensorrt_rtx_bindings")
    net = nn.Sequential(
        nn.Conv1d(3, 8, 5), nn.LayerNorm(9), nn.ReLU(), nn.Flatten(), nn.Linear(72, 6),
        nn.Softmax(dim=1),
    )  # fmt: skip
    batch = np.random.default_rng(seed).normal(size=(1, 3, 13)).astype(np.float32)
    path = tmp_path / "net.onnx"
    path.write_bytes(scheme.apply(quantizable(net, batch), frozenset()))
    # In a process of its own, since TensorRT's parser may end the one that it is in.
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def unlabelled(window: int) -> Deployment:
    return Deployment(
        name="unlabelled",
        modalities={"motion": signal(Encoder(3, 4), 3, window)},
        heads={
            "activity": Classification(Fusion((4,), 3), LABELS),
            "place": Embedding(Fusion((4,), 6)),
        },
    )


def test_without_labels_the_target_is_what_the_network_answers(seed: int) -> None:
    window = 23
    deployment = unlabelled(window)
    generator = np.random.default_rng(seed)
    samples = [{"motion": generator.normal(size=(window, 3)).astype(np.float32)} for _ in range(5)]
    gate = agreement(deployment, samples, max_drop=0.25)
    gate.check(deployment)
    assert gate.drop_of("place") == 0.25
    encoder = deployment.modalities["motion"].encoder.eval()
    for sample, targets in gate.held_out:
        with torch.no_grad():
            embedding = encoder(torch.from_numpy(sample["motion"].T[None].copy()))
            here = torch.ones(1, 1)
            logits = deployment.heads["activity"].module.eval()(embedding, here)
            place = deployment.heads["place"].module.eval()(embedding, here)
        assert targets["activity"] == int(logits.argmax())
        np.testing.assert_allclose(targets["place"], place[0].numpy(), rtol=1e-5, atol=1e-6)


def test_cosine_agreement_is_one_for_the_same_direction_and_zero_beside_nothing() -> None:
    targets = np.array([[3.0, 4.0], [-3.0, -4.0]])
    assert cosine_agreement(2.0 * targets, targets) == pytest.approx(1.0)
    assert cosine_agreement(np.array([[-4.0, 3.0], [0.0, 0.0]]), targets) == pytest.approx(0.0)


def test_what_all_answers_have_in_common_does_not_agree(seed: int) -> None:
    answers = np.random.default_rng(seed).normal(size=(9, 3, 5))
    constant = 100.0 + np.zeros((9, 15))
    assert cosine_agreement(constant, 100.0 + answers) < 0.5
    assert cosine_agreement((100.0 + answers).reshape(9, 15), 100.0 + answers) == pytest.approx(1.0)
    # One answer has nothing in common with others.
    assert cosine_agreement(constant[:1], 100.0 + answers[:1]) > 0.99


def test_engines_can_be_asked_for_beside_a_script(tmp_path: Path) -> None:
    file = tmp_path / "deploy.py"
    file.write_text(
        "import numpy as np\n"
        "from plait_export import Request\n"
        "from tests.export.test_engine_graphs import unlabelled\n"
        "def request(arguments):\n"
        "    samples = [{'motion': np.ones((23, 3), np.float32)}]\n"
        "    return Request(unlabelled(23), samples, precisions=('fp32',))\n"
    )
    report = script.run(file, tmp_path / "a.plait", engines=["int8"])
    assert report.warnings == ["int8_tensorrt was not written: there is no gate to judge it by"]
