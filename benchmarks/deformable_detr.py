"""Deformable DETR of transformers as torch exports it, against the same graph rewritten.

Random weights, a small ResNet and a few layers: the answer to "what does `plait rewrite` do to a
detector as a whole". Both graphs run in ONNX Runtime, on one picture, and are compared in the run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.harness import Row, interleave, options, report
from plait_export.graphs import relative_error, session_options
from plait_export.rewrite import Rewritten, rewrite

NAMES = ("logits", "boxes")
_ROUNDS, _QUICK_ROUNDS = 30, 5


class Detector(nn.Module):
    """A Deformable DETR of random weights: pixels, mask -> logits, boxes."""

    def __init__(
        self, *, width: int = 256, heads: int = 8, layers: int = 6, queries: int = 300
    ) -> None:
        super().__init__()
        from transformers import (
            DeformableDetrConfig,
            DeformableDetrForObjectDetection,
            ResNetConfig,
        )

        backbone = ResNetConfig(
            embedding_size=16,
            hidden_sizes=[16, 32, 64, 128],
            depths=[1, 1, 1, 1],
            layer_type="basic",
            out_features=["stage2", "stage3", "stage4"],
        )
        config = DeformableDetrConfig(
            use_timm_backbone=False,
            backbone_config=backbone,
            d_model=width,
            encoder_layers=layers,
            decoder_layers=layers,
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            encoder_ffn_dim=2 * width,
            decoder_ffn_dim=2 * width,
            num_queries=queries,
            disable_custom_kernels=True,
        )
        self.detector = DeformableDetrForObjectDetection(config).eval()
        with torch.no_grad():  # as trained ones, which look elsewhere for every query
            for module in self.detector.modules():
                if hasattr(module, "sampling_offsets"):
                    module.sampling_offsets.weight.normal_(std=0.05)

    def forward(self, pixels: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answer = self.detector(pixel_values=pixels, pixel_mask=mask)
        return answer.logits, answer.pred_boxes


def export(
    detector: nn.Module, height: int, width: int, folder: Path, *, dynamo: bool = True
) -> tuple[Path, dict[str, NDArray[Any]]]:
    """The detector's graph as torch writes it for one size, and inputs for it."""
    pixels = torch.randn(1, 3, height, width)
    mask = torch.ones(1, height, width, dtype=torch.long)
    path = folder / "detector.onnx"
    said: dict[str, Any] = {"dynamo": True, "opset_version": 20, "external_data": False}
    if not dynamo:
        said = {"dynamo": False, "opset_version": 17}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            detector,
            (pixels, mask),
            str(path),
            input_names=["pixels", "mask"],
            output_names=list(NAMES),
            verbose=False,
            **said,
        )
    return path, {"pixels": pixels.numpy(), "mask": mask.numpy()}


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """With Plait's operators, where the model has some."""
    chosen = session_options(model)
    chosen.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, chosen, providers=["CPUExecutionProvider"])


def measure(
    rewritten: Rewritten,
    stock: bytes,
    feeds: dict[str, NDArray[Any]],
    threads: int,
    arguments: argparse.Namespace,
) -> Row:
    """Both graphs compared, then timed in turns."""
    ours, peer = session(rewritten.model.SerializeToString(), threads), session(stock, threads)
    pairs = zip(ours.run(None, feeds), peer.run(None, feeds), strict=True)
    error = max(relative_error(answer, expected) for answer, expected in pairs)
    if error > 1e-4:
        raise SystemExit(f"the rewritten graph is {error:.1e} away from the one given")
    spreads = interleave(
        {"ours": lambda: ours.run(None, feeds), "peer": lambda: peer.run(None, feeds)},
        _QUICK_ROUNDS if arguments.quick else _ROUNDS,
        arguments.seed,
        warm_up=2,
    )
    a, b = spreads["ours"], spreads["peer"]
    height, width = feeds["pixels"].shape[2:]
    return Row(
        f"deformable_detr {width}x{height}, {threads} thread{'s' if threads > 1 else ''}",
        a.median,
        "onnxruntime, as exported",
        b.median,
        b.median / a.median,
        note=f"relative error {error:.1e}, {rewritten.nodes[0]} -> {rewritten.nodes[1]} nodes",
    )


def main() -> None:
    """Six and six layers; two and two, and a smaller picture, with --quick."""
    arguments = options(__doc__ or "")
    torch.manual_seed(arguments.seed)
    height, width, layers = (192, 256, 2) if arguments.quick else (480, 640, 6)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path, feeds = export(Detector(layers=layers), height, width, Path(folder))
        stock = path.read_bytes()
        rewritten = rewrite(stock, feeds)
        if len(rewritten.replaced) != 2 * layers:
            raise SystemExit(f"only {len(rewritten.replaced)} attentions were replaced")
        for threads in (1, 2):
            rows.append(measure(rewritten, stock, feeds, threads, arguments))
    report(
        "python benchmarks/deformable_detr.py",
        arguments,
        rows,
        threads="1 and 2",
        rounds=_QUICK_ROUNDS if arguments.quick else _ROUNDS,
        rewritten=rewritten.to_json(),
    )


if __name__ == "__main__":
    main()
