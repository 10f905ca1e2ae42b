"""The peer: what a user writes today: NumPy preprocessing and one session of the whole model."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import compose

import plait


def merged(bundle: plait.Bundle, precision: str) -> onnx.ModelProto:
    """The bundle's encoders and its first head in one graph: samples and presence to the output."""
    manifest = bundle.manifest
    members = next(v["members"] for v in manifest["variants"] if v["precision"] == precision)
    head = manifest["heads"][0]
    whole = _read(bundle, members[head["graph"]], "head")
    for name in head["modalities"]:
        modality = next(m for m in manifest["modalities"] if m["name"] == name)
        encoder = _read(bundle, members[modality["encoder"]], name)
        whole = compose.merge_models(encoder, whole, io_map=[(f"{name}_embedding", f"head_{name}")])
    return whole


def _read(bundle: plait.Bundle, member: str, prefix: str) -> onnx.ModelProto:
    model = onnx.load_model_from_string(bytes(bundle.read(member)))
    return compose.add_prefix(model, prefix=f"{prefix}_")


class WholeModelScript:
    """Prepares in NumPy, runs one session, and names the best label."""

    def __init__(self, path: str, precision: str, threads: int) -> None:
        bundle = plait.Bundle(path)
        manifest = bundle.manifest
        self.labels = manifest["heads"][0]["labels"]
        self.names = manifest["heads"][0]["modalities"]
        self.constants = {}
        for modality in manifest["modalities"]:
            signal = modality["signal"]
            if signal["sensor"]["channels"] != signal["channels"] or (
                signal["sensor"]["unit"] != signal["unit"]
            ):
                raise SystemExit("this peer prepares sensors in the encoder's own axes and unit")
            mean, std = (np.asarray(signal[key], np.float32) for key in ("mean", "std"))
            self.constants[modality["name"]] = (mean, std, signal["layout"] == "NCT")
        self.zeros = {
            m["name"]: np.zeros((m["signal"]["window"], len(m["signal"]["channels"])), np.float32)
            for m in manifest["modalities"]
        }
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            merged(bundle, precision).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )

    def __call__(self, samples: dict[str, Any]) -> str:
        """The label."""
        return str(self.labels[int(self.scores(samples).argmax())])

    def scores(self, samples: dict[str, Any]) -> NDArray[np.float32]:
        """[classes]"""
        feeds = {}
        for name in self.names:
            given = samples[name]
            mean, std, channels_first = self.constants[name]
            prepared = ((self.zeros[name] if given is None else given) - mean) / std
            feeds[f"{name}_sample"] = (prepared.T if channels_first else prepared)[None]
        presence = [[0.0 if samples[name] is None else 1.0 for name in self.names]]
        feeds["head_presence"] = np.array(presence, np.float32)
        logits = self.session.run(None, feeds)[0][0]
        weights = np.exp(logits - logits.max())
        scores: NDArray[np.float32] = weights / weights.sum()
        return scores
