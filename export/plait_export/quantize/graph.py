"""A graph made ready to be quantized: constants folded, layers found, ranges measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from plait_export.graphs import (
    FloatArray,
    Form,
    Graph,
    Runner,
    drop_unused_domains,
    session_options,
)

# Whose weights can be stored in 8 bits. A product of two activations (attention) is no layer:
# it holds no weights, and in 8 bits it is slower and worse.
LAYER_OPS = ("Conv", "Gemm", "MatMul")

_BATCH = 64


@dataclass(frozen=True)
class Quantizable:
    """A graph with what every scheme needs of it.

    graph: as traced. folded: the same without constant arithmetic and with inferred shapes.
    layers: node name to operator, in order. ranges: per activation (min, max) on real samples.
    """

    graph: Graph
    folded: onnx.ModelProto
    layers: Mapping[str, str]
    ranges: Mapping[str, tuple[float, float]]


def make_quantizable(graph: Graph, feeds: Sequence[Mapping[str, FloatArray]]) -> Quantizable:
    """Folds a graph and runs it on real inputs; feeds are whole batches, one a presence set."""
    folded = fold(graph)
    return Quantizable(graph, folded, find_layers(folded), measure_ranges(folded, feeds))


def form_of(graphs: Mapping[str, Quantizable]) -> Form:
    """Of all of them together."""
    fused = any(graph.graph.form == "fused" for graph in graphs.values())
    return "fused" if fused else "portable"


def fold(graph: Graph) -> onnx.ModelProto:
    """Lets ONNX Runtime fold constants and batch norms, which it cannot after quantization."""
    options = session_options(graph.onnx)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix="plait-") as folder:
        file = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(file)
        onnxruntime.InferenceSession(graph.onnx, options, providers=["CPUExecutionProvider"])
        folded = onnx.load(file)
    drop_unused_domains(folded)
    return onnx.shape_inference.infer_shapes(folded)


def find_layers(model: onnx.ModelProto) -> dict[str, str]:
    """Nodes with constant weights, by name."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return {
        node.name: node.op_type
        for node in model.graph.node
        if node.op_type in LAYER_OPS and node.input[1] in constants
    }


def measure_ranges(
    model: onnx.ModelProto, feeds: Sequence[Mapping[str, FloatArray]]
) -> dict[str, tuple[float, float]]:
    """The smallest and largest value of every float activation on real inputs.

    A range always holds 0, which every 8-bit type has to represent exactly. An activation that is
    not finite (a mask of minus infinity) is left out, and so are the layers that touch it.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    outputs = {output.name for output in watched.graph.output}
    computed = {name for node in watched.graph.node for name in node.output} - outputs
    for info in watched.graph.value_info:
        if info.name in computed and info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            watched.graph.output.append(info)
    names = [output.name for output in watched.graph.output]
    runner = Runner(watched.SerializeToString())
    ranges: dict[str, tuple[float, float]] = {}
    for batch in _batches(feeds):
        for name, values in (*zip(names, runner(batch), strict=True), *batch.items()):
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = (
                float(np.min(values, initial=low)),
                float(np.max(values, initial=high)),
            )
    return {name: both for name, both in ranges.items() if np.isfinite(both).all()}


def _batches(feeds: Sequence[Mapping[str, FloatArray]]) -> Iterator[dict[str, FloatArray]]:
    for feed in feeds:
        count = len(next(iter(feed.values())))
        for start in range(0, count, _BATCH):
            yield {name: values[start : start + _BATCH] for name, values in feed.items()}
