"""One modality by itself, as a bundle with next to no encoder: to run its preparation."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import plait
from plait_export.bundle import write_bundle
from plait_export.describe import Modality, Text

NAME = "sample"
"""What the modality is called in that bundle."""


def load_alone(modality: Modality) -> plait.Model:
    """A model that prepares samples of a modality by the core: `model.prepare(NAME, sample)`.

    Raises what plait.load raises where the description makes no sense.
    """
    # These take seconds: torch.
    from plait_export.manifest import FORMAT
    from plait_export.texts import describe_members, members_of

    modality.check(f"modality {NAME}")
    shape = list(modality.input_shape())
    dtype = "int64" if isinstance(modality, Text) else getattr(modality, "dtype", "float32")
    graphs = [
        _graph("encoder", "encoder", {NAME: shape}, {"embedding": [1]}),
        _graph("head", "head", {NAME: [1], "presence": [1]}, {"embedding": [1]}),
    ]
    graphs[0]["inputs"][0]["dtype"] = dtype
    files = {"graphs/encoder.onnx": _encoder(shape, dtype), "graphs/head.onnx": _head()}
    section = modality.to_manifest()
    if isinstance(modality, Text):
        modality = replace(modality, bank=None, encoder_in_bundle=True)
        section["text"] |= describe_members(NAME, modality, [1])
        files |= members_of(NAME, modality, None)
    manifest = {
        "format": "plait-bundle",
        "format_version": dict(FORMAT),
        "name": "alone",
        "modalities": [
            {
                "name": NAME,
                "encoder": "encoder",
                "max_age_ms": float(modality.max_age_ms),
                "when_missing": modality.when_missing,
                **section,
            }
        ],
        "graphs": graphs,
        "heads": [{"name": "head", "kind": "embedding", "graph": "head", "modalities": [NAME]}],
        "variants": [
            {
                "precision": "fp32",
                "scheme": "float",
                "form": "portable",
                "members": {"encoder": "graphs/encoder.onnx", "head": "graphs/head.onnx"},
            }
        ],
        "default_precision": "fp32",
    }
    with tempfile.TemporaryDirectory(prefix="plait-alone-") as folder:
        path = Path(folder) / "alone.plait"
        write_bundle(path, manifest, files, durable=False)
        return plait.load(path, threads=1)  # which keeps its members mapped


def _graph(
    name: str, role: str, inputs: Mapping[str, list[int]], outputs: Mapping[str, list[int]]
) -> dict[str, Any]:
    def described(tensors: Mapping[str, list[int]]) -> list[dict[str, Any]]:
        return [
            {"name": key, "dtype": "float32", "shape": ["batch", *shape]}
            for key, shape in tensors.items()
        ]

    return {
        "name": name,
        "role": role,
        "inputs": described(inputs),
        "outputs": described(outputs),
    }


def _encoder(shape: list[int], dtype: str) -> bytes:
    """The mean of the input."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", [NAME], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["values"], ["flat"]),
        helper.make_node("ReduceMean", ["flat", "axes"], ["embedding"], keepdims=1),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    return _model(nodes, {NAME: shape}, [axes], dtype)


def _head() -> bytes:
    """The mean again, where there is one."""
    from onnx import helper

    node = helper.make_node("Mul", [NAME, "presence"], ["embedding"])
    return _model([node], {NAME: [1], "presence": [1]}, [])


def _model(
    nodes: list[Any],
    inputs: Mapping[str, list[int]],
    initializers: list[Any],
    dtype: str = "float32",
) -> bytes:
    """A graph from inputs of a type to `embedding` [batch, 1], float32."""
    import numpy as np
    from onnx import TensorProto, helper

    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    taken = [
        helper.make_tensor_value_info(name, element, ["batch", *shape])
        for name, shape in inputs.items()
    ]
    given = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 1])]
    graph = helper.make_graph(nodes, "graph", taken, given, initializers)
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    return bytes(model.SerializeToString())
