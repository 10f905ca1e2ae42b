"""Small bundles with cameras of any description, written without torch: for preparing frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from plait_export.bundle import write_bundle

Section = dict[str, Any]


def frame_section(**changes: Any) -> Section:
    """A manifest's `frame`, levels as they are: scale 1, mean 0, std 1.

    changes: fields of the section, of `sensor` and of `resize` by their own names; crop=(h, w).
    """
    changes = dict(changes)
    section: Section = {
        "channels": changes.pop("channels", "RGB"),
        "sensor": {
            "format": changes.pop("format", "rgb8"),
            "matrix": changes.pop("matrix", "bt709"),
            "range": changes.pop("range", "limited"),
        },
        "resize": {
            "fit": changes.pop("fit", "stretch"),
            "size": list(changes.pop("size", (23, 31))),
            "filter": changes.pop("filter", "bilinear"),
            "antialias": changes.pop("antialias", True),
            "pad": changes.pop("pad", 0),
        },
        "arithmetic": changes.pop("arithmetic", "exact"),
        "scale": changes.pop("scale", 1.0),
        "layout": changes.pop("layout", "NHWC"),
        "dtype": changes.pop("dtype", "float32"),
    }
    channels = 3 if section["channels"] in ("RGB", "BGR") else 1
    section["mean"] = list(changes.pop("mean", [0.0] * channels))
    section["std"] = list(changes.pop("std", [1.0] * channels))
    if "crop" in changes:
        rounding = changes.pop("rounding", "down")
        section["crop"] = {"size": list(changes.pop("crop")), "rounding": rounding}
    assert not changes, changes
    return section


def write_frame_bundle(path: Path, frames: Mapping[str, Section]) -> Path:
    """One camera a section, each encoded as the mean of its input; one head that sums them."""
    modalities = {}
    for name, section in frames.items():
        height, width = (section["crop"] if "crop" in section else section["resize"])["size"]
        channels = len(section["mean"])
        shape = [channels, height, width]
        if section["layout"] == "NHWC":
            shape = [height, width, channels]
        modalities[name] = ("frame", section, shape)
    return write_light_bundle(path, modalities)


def write_signal_bundle(path: Path, signals: Mapping[str, Section]) -> Path:
    """The same of signals."""
    modalities = {}
    for name, section in signals.items():
        shape = [len(section["channels"]), section["window"]]
        modalities[name] = (
            "signal",
            section,
            shape if section["layout"] == "NCT" else shape[::-1],
        )
    return write_light_bundle(path, modalities)


def write_light_bundle(path: Path, described: Mapping[str, tuple[str, Section, list[int]]]) -> Path:
    """Modalities by kind, section and shape of their encoder's input."""
    files: dict[str, bytes] = {}
    graphs: list[dict[str, Any]] = []
    modalities = []
    for name, (kind, section, shape) in described.items():
        dtype = section.get("dtype", "float32")
        encoder = _graph(f"{name}_encoder", "encoder", {"sample": shape}, {"embedding": [1]})
        encoder["inputs"][0]["dtype"] = dtype
        graphs.append(encoder)
        files[f"graphs/{name}_encoder.onnx"] = _mean_encoder(shape, dtype)
        modalities.append(
            {
                "name": name,
                "kind": kind,
                "encoder": f"{name}_encoder",
                "max_age_ms": 100.0,
                "when_missing": "mask",
                kind: section,
            }
        )
    inputs = {**{name: [1] for name in described}, "presence": [len(described)]}
    graphs.append(_graph("sum_head", "head", inputs, {"embedding": [1]}))
    files["graphs/sum_head.onnx"] = _sum_head(list(described))
    manifest = {
        "format": "plait-bundle",
        "format_version": {"major": 1, "minor": 0},
        "name": "light",
        "modalities": modalities,
        "graphs": graphs,
        "heads": [
            {
                "name": "sum",
                "kind": "embedding",
                "graph": "sum_head",
                "modalities": list(described),
            }
        ],
        "variants": [
            {
                "precision": "fp32",
                "scheme": "float",
                "form": "portable",
                "members": {graph["name"]: f"graphs/{graph['name']}.onnx" for graph in graphs},
            }
        ],
        "default_precision": "fp32",
    }
    write_bundle(path, manifest, files, durable=False)
    return path


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


def _value(name: str, shape: list[int], dtype: str = "float32") -> onnx.ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, ["batch", *shape])


def _mean_encoder(shape: list[int], dtype: str) -> bytes:
    nodes = [
        helper.make_node("Cast", ["sample"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["values"], ["flat"]),
        helper.make_node("ReduceMean", ["flat", "axes"], ["embedding"], keepdims=1),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    return _model(nodes, [_value("sample", shape, dtype)], [_value("embedding", [1])], [axes])


def _sum_head(names: list[str]) -> bytes:
    nodes = [
        helper.make_node("Concat", names, ["all"], axis=1),
        helper.make_node("Mul", ["all", "presence"], ["present"]),
        helper.make_node("ReduceSum", ["present", "axes"], ["embedding"], keepdims=1),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    inputs = [*(_value(name, [1]) for name in names), _value("presence", [len(names)])]
    return _model(nodes, inputs, [_value("embedding", [1])], [axes])


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    initializers: list[onnx.TensorProto],
) -> bytes:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
