"""ONNX graphs in memory: what a bundle says of one, how it is cleaned, and how it is run here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from plait import ops
from plait_export.lineage import usable_cpus

FloatArray = NDArray[np.float32]

BATCH = "batch"

Role = Literal["encoder", "head", "step"]

# Standard ONNX operators only, or with Plait's own.
Form = Literal["portable", "fused"]
FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True)
class TensorDescription:
    """One input or output: [batch, *shape] of a NumPy dtype's name."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"

    def to_manifest(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "shape": [BATCH, *self.shape]}


@dataclass(frozen=True)
class Graph:
    """One encoder, head or step. `onnx` is the serialized model. form: "fused" where it uses
    Plait's operators. more: outputs behind the first, which a step has."""

    name: str
    role: Role
    inputs: tuple[TensorDescription, ...]
    output: TensorDescription
    onnx: bytes
    form: Form = "portable"
    more: tuple[TensorDescription, ...] = ()

    def to_manifest(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "role": self.role,
            "inputs": [tensor.to_manifest() for tensor in self.inputs],
            "outputs": [tensor.to_manifest() for tensor in (self.output, *self.more)],
        }


class Runner:
    """Runs one graph here through ONNX Runtime's Python package: for checks while exporting."""

    def __init__(self, model: bytes) -> None:
        options = session_options(model)
        options.intra_op_num_threads = 1 if _adds_in_place(model) else usable_cpus()
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return list(self._session.run(None, dict(feeds)))


def session_options(model: bytes) -> onnxruntime.SessionOptions:
    """Quiet ones, with Plait's operators where the model may use them."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if ops.DOMAIN.encode() in model:
        options.register_custom_ops_library(ops.library())
    return options


def is_fused(model: onnx.ModelProto) -> bool:
    """Whether the model uses Plait's operators."""
    return any(node.domain == ops.DOMAIN for graph in _graphs(model.graph) for node in graph.node)


def _adds_in_place(model: bytes) -> bool:
    """Whether sums are made by ScatterND: ONNX Runtime (1.32) adds into one place from several
    threads at once, so that the order changes from run to run, and a term may get lost."""
    graph = onnx.load_model_from_string(model).graph
    return any(node.op_type == "ScatterND" for inner in _graphs(graph) for node in inner.node)


def relative_error(actual: NDArray[Any], reference: NDArray[Any]) -> float:
    """max|actual - reference| / max|reference|: 0 where both are all zero, infinite with a NaN."""
    if actual.shape != reference.shape:
        return float("inf")
    wide = np.asarray(reference, dtype=np.float64)
    difference = float(np.max(np.abs(np.asarray(actual, dtype=np.float64) - wide), initial=0.0))
    if difference == 0.0:
        return 0.0
    scale = float(np.max(np.abs(wide), initial=0.0))
    return difference / scale if scale > 0.0 and np.isfinite(difference) else float("inf")


def clean(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The same model, without what the exporter noted of this machine, and with readable names.

    torch leaves stack traces (with paths) in every node; a node is renamed after the module it
    comes from, so that reports name layers as the user knows them.
    """
    cleaned = onnx.ModelProto()
    cleaned.CopyFrom(model)
    graph = cleaned.graph
    graph.name = name
    taken: set[str] = set()
    for node in graph.node:
        node.name = _unused(_layer_name(node), taken)
        del node.metadata_props[:]
        node.ClearField("doc_string")
    for info in (*graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del info.metadata_props[:]
        info.ClearField("doc_string")
    del graph.metadata_props[:]
    graph.ClearField("doc_string")
    del cleaned.metadata_props[:]
    cleaned.ClearField("doc_string")
    drop_unused_domains(cleaned)
    return cleaned


def rename_values(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Gives values new names. Another value that bears one already is moved out of its way: torch
    calls the output of an embedding layer "embedding"."""
    taken = {name for graph in _graphs(model.graph) for name in _value_names(graph)}
    moved = dict(names)
    for name in names.values():
        if name in taken and name not in names:
            moved[name] = _unused(name, taken | set(names.values()))
    for graph in _graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            value.name = moved.get(value.name, value.name)
        for node in graph.node:
            for listed in (node.input, node.output):
                for index, name in enumerate(listed):
                    listed[index] = moved.get(name, name)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and those in its nodes: branches, loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _value_names(graph: onnx.GraphProto) -> set[str]:
    named = (*graph.input, *graph.initializer)
    return {value.name for value in named} | {
        name for node in graph.node for name in (*node.input, *node.output)
    }


def drop_unused_domains(model: onnx.ModelProto) -> None:
    """Removes operator sets that no node uses, so that a reader sees what a graph needs."""
    used = {node.domain for graph in _graphs(model.graph) for node in graph.node} | {
        node.domain for function in model.functions for node in function.node
    }
    kept = [opset for opset in model.opset_import if opset.domain in used | {""}]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def graph_shape(value: onnx.ValueInfoProto) -> list[int | str]:
    """Dimensions of an input or output; a name where one is dynamic, "?" where it is not known."""
    return [
        dim.dim_param or (dim.dim_value if dim.HasField("dim_value") else "?")
        for dim in value.type.tensor_type.shape.dim
    ]


def head_feeds(
    names: Sequence[str], embeddings: Mapping[str, FloatArray], present: Sequence[str]
) -> dict[str, FloatArray]:
    """A head's inputs with just these modalities: zeros and presence 0 for the others."""
    feeds = {
        name: embeddings[name] if name in present else np.zeros_like(embeddings[name])
        for name in names
    }
    row = np.array([float(name in present) for name in names], dtype=np.float32)
    feeds["presence"] = np.tile(row, (len(embeddings[names[0]]), 1))
    return feeds


def _layer_name(node: onnx.NodeProto) -> str:
    scopes = {entry.key: entry.value for entry in node.metadata_props}.get(
        "pkg.torch.onnx.name_scopes", ""
    )
    # "['', 'module', 'module.conv1', 'conv1d']": the last but one is the module's own name.
    found: list[str] = re.findall(r"'([^']*)'", scopes)
    path = found[-2] if len(found) >= 2 else ""
    path = "" if path.startswith("_") else re.sub(r"^module(\.|$)", "", path)
    return f"{path}.{node.op_type}" if path else node.op_type


def _unused(name: str, taken: set[str]) -> str:
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    taken.add(candidate)
    return candidate
