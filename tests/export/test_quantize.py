"""Every scheme gives a graph that runs anywhere ONNX does, is smaller, and answers nearly alike."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from plait_export import Classification, Deployment, reference
from plait_export.graphs import (
    FloatArray,
    Graph,
    Runner,
    TensorDescription,
    head_feeds,
    relative_error,
)
from plait_export.presence import head_sets
from plait_export.progress import silent
from plait_export.quantize import (
    SCHEMES,
    Float16,
    Quantizable,
    Scheme,
    make_quantizable,
    why_not_loadable,
)
from plait_export.trace import trace
from tests.export.conftest import Case
from tests.export.models import LABELS, Encoder, raw_samples, signal

INT8 = [scheme for scheme in SCHEMES if scheme.precision == "int8"]
CHANGED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger"}


@pytest.fixture(scope="module")
def feeds(case: Case) -> dict[str, list[dict[str, FloatArray]]]:
    """Real inputs of every graph: embeddings in all presence sets for the heads."""
    embeddings: dict[str, FloatArray] = {}
    found: dict[str, list[dict[str, FloatArray]]] = {}
    for name, described in case.deployment.modalities.items():
        prepared = reference.prepare_all(described, [s[name] for s in case.samples])
        embeddings[name] = case.traced.embed(name, prepared)
        found[f"{name}_encoder"] = [{"sample": prepared}]
    for head in case.deployment.heads:
        names = case.deployment.head_modalities(head)
        sets = head_sets(case.deployment, head, case.sets)
        found[f"{head}_head"] = [head_feeds(names, embeddings, present) for present in sets]
    return found


@pytest.fixture(scope="module")
def graphs(case: Case, feeds: dict[str, list[dict[str, FloatArray]]]) -> dict[str, Quantizable]:
    return {name: make_quantizable(g, feeds[name]) for name, g in case.traced.graphs.items()}


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: str(scheme.name))
def test_a_scheme_gives_a_portable_graph_that_answers_nearly_alike(
    scheme: Scheme,
    graphs: dict[str, Quantizable],
    feeds: dict[str, list[dict[str, FloatArray]]],
) -> None:
    changed = 0
    for name, graph in graphs.items():
        quantized = scheme.apply(graph, frozenset())
        if quantized == graph.graph.onnx:
            assert not scheme.layers(graph)
            continue
        changed += 1
        model = onnx.load_from_string(quantized)
        onnx.checker.check_model(model)
        assert [opset.domain for opset in model.opset_import] == [""]
        assert [v.name for v in model.graph.input] == [t.name for t in graph.graph.inputs]
        assert all(
            value.type.tensor_type.elem_type == TensorProto.FLOAT
            for value in (*model.graph.input, *model.graph.output)
        )
        exact, rounded = Runner(graph.graph.onnx), Runner(quantized)
        for batch in feeds[name]:
            error = relative_error(rounded(batch)[0], exact(batch)[0])
            assert 0.0 < error < 0.15, f"{name}: {error}"
    assert changed >= 3


@pytest.mark.parametrize("scheme", INT8, ids=lambda scheme: str(scheme.name))
def test_kept_layers_stay_in_float_and_others_do_not(
    scheme: Scheme, graphs: dict[str, Quantizable]
) -> None:
    for graph in graphs.values():
        layers = scheme.layers(graph)
        assert scheme.apply(graph, frozenset(layers)) == graph.graph.onnx
        for layer in layers:
            alone = onnx.load_from_string(scheme.apply(graph, frozenset(layers) - {layer}))
            assert quantized_weights(alone) == 1
        if layers:
            everything = onnx.load_from_string(scheme.apply(graph, frozenset()))
            assert quantized_weights(everything) == len(layers)


def quantized_weights(model: onnx.ModelProto) -> int:
    """How many weights of two or more dimensions are stored in 8 bits."""
    return sum(
        tensor.data_type in (TensorProto.INT8, TensorProto.UINT8) and len(tensor.dims) > 1
        for tensor in model.graph.initializer
    )


def test_half_precision_stores_weights_in_two_bytes(graphs: dict[str, Quantizable]) -> None:
    for graph in graphs.values():
        model = onnx.load_from_string(Float16().apply(graph, frozenset()))
        weights = [t for t in model.graph.initializer if len(t.dims) > 1]
        assert {t.data_type for t in weights} <= {TensorProto.FLOAT16, TensorProto.INT64}


def test_ranges_are_those_of_the_real_inputs(
    graphs: dict[str, Quantizable], feeds: dict[str, list[dict[str, FloatArray]]]
) -> None:
    for name, graph in graphs.items():
        for tensor in feeds[name][0]:
            values = [batch[tensor] for batch in feeds[name]]
            low, high = graph.ranges[tensor]
            assert low == min(0.0, *(float(v.min()) for v in values))
            assert high == max(0.0, *(float(v.max()) for v in values))
        answers = np.concatenate([Runner(graph.graph.onnx)(batch)[0] for batch in feeds[name]])
        low, high = graph.ranges[graph.graph.output.name]
        assert low == pytest.approx(min(0.0, answers.min()), rel=1e-4)
        assert high == pytest.approx(max(0.0, answers.max()), rel=1e-4)


def product_graph(factor: float) -> Graph:
    """sample [batch, 4] * factor, then a matrix product."""
    nodes = [
        helper.make_node("Mul", ["sample", "factor"], ["large"], name="scale"),
        helper.make_node("MatMul", ["large", "weights"], ["embedding"], name="product"),
    ]
    constants = [
        numpy_helper.from_array(np.array([factor], np.float32), "factor"),
        numpy_helper.from_array(np.eye(4, 3, dtype=np.float32), "weights"),
    ]
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("sample", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return Graph(
        "product_encoder",
        "encoder",
        (TensorDescription("sample", (4,)),),
        TensorDescription("embedding", (3,)),
        model.SerializeToString(),
    )


def test_a_layer_whose_input_is_not_finite_is_left_alone() -> None:
    sample = np.ones((5, 4), np.float32)
    finite = make_quantizable(product_graph(2.0), [{"sample": sample}])
    infinite = make_quantizable(product_graph(float("inf")), [{"sample": sample}])
    for scheme in INT8:
        if "MatMul" in scheme.layers(finite).values():
            assert scheme.layers(finite) == {"product": "MatMul"}
        assert scheme.layers(infinite) == {}
        assert scheme.apply(infinite, frozenset()) == infinite.graph.onnx


def test_a_graph_that_cannot_be_loaded_is_found_out_in_another_process() -> None:
    assert why_not_loadable([product_graph(1.0).onnx]) is None
    reason = why_not_loadable([product_graph(1.0).onnx, b"not a graph"])
    assert reason is not None and "refuses" in reason


def test_signed_weights_leave_room_for_a_pair_of_products(
    graphs: dict[str, Quantizable],
) -> None:
    signed = [scheme for scheme in INT8 if "s7" in scheme.name]
    assert signed
    for scheme in signed:
        for graph in graphs.values():
            model = onnx.load_from_string(scheme.apply(graph, frozenset()))
            for tensor in model.graph.initializer:
                if tensor.data_type == TensorProto.INT8 and len(tensor.dims) > 1:
                    largest = int(np.abs(numpy_helper.to_array(tensor).astype(int)).max())
                    assert 2 * 255 * largest <= 32767


class Attention(nn.Module):
    """A fusion whose scaled products share constants, which half precision trips over."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.query = nn.Parameter(torch.randn(1, 1, 8))
        self.token = nn.Parameter(torch.randn(2, 8))
        self.output = nn.Linear(8, 3)

    def forward(self, left: Tensor, right: Tensor, presence: Tensor) -> Tensor:
        embeddings = torch.stack([left, right], dim=1)
        tokens = torch.where(presence[:, :, None] > 0, embeddings, self.token)
        query = self.query.expand(tokens.shape[0], -1, -1)
        answer: Tensor = self.output(self.attention(query, tokens, tokens)[0][:, 0])
        return answer


def test_an_attention_head_can_be_stored_in_every_scheme(generator: np.random.Generator) -> None:
    deployment = Deployment(
        name="two",
        modalities={name: signal(Encoder(3, 8), 3, 37) for name in ("left", "right")},
        heads={"activity": Classification(Attention(), labels=LABELS)},
    )
    traced = trace(deployment, raw_samples(deployment, generator, 3), silent)
    embeddings = {
        name: generator.normal(size=(64, 8)).astype(np.float32) for name in ("left", "right")
    }
    feeds = [
        head_feeds(("left", "right"), embeddings, present)
        for present in (("left", "right"), ("left",), ("right",))
    ]
    graph = make_quantizable(traced.head("activity"), feeds)
    models = {scheme.name: scheme.apply(graph, frozenset()) for scheme in SCHEMES}
    assert why_not_loadable(models.values()) is None
    exact = Runner(graph.graph.onnx)
    for model in models.values():
        rounded = Runner(model)
        assert all(relative_error(rounded(feed)[0], exact(feed)[0]) < 0.3 for feed in feeds)
