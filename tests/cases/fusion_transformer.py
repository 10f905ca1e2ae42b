"""A transformer over the tokens of several modalities: absent ones are masked, or not computed."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from plait import ops as fused
from plait_export import ops


class Layer(nn.Module):
    """Attention and a perceptron, each behind a LayerNorm and beside a shortcut."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(channels)
        self.queries_keys_values = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.before_perceptron = nn.LayerNorm(channels)
        self.wide = nn.Linear(channels, 4 * channels)
        self.narrow = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """x: [batch, tokens, channels]; seen: [batch, 1, 1, tokens], added to the logits."""
        batch, tokens, channels = x.shape
        heads = self.queries_keys_values(self.before_attention(x)).reshape(
            batch, tokens, 3, self.heads, channels // self.heads
        )
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        attended = scaled_dot_product_attention(query, key, value, attn_mask=seen)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, tokens, channels))
        step: Tensor = self.narrow(gelu(self.wide(self.before_perceptron(x))))
        return x + step


class FusionTransformer(nn.Module):
    """tokens [batch, sum of lengths, channels], presence [batch, modalities] -> tokens' answers;
    those of absent modalities get a learned token. pack: they are left out of the layers instead of
    masked in them."""

    def __init__(
        self, lengths: Sequence[int], channels: int, heads: int, layers: int, pack: bool
    ) -> None:
        super().__init__()
        self.pack = pack
        self.register_buffer("lengths", torch.tensor(lengths, dtype=torch.int32))
        self.absent = nn.Parameter(torch.randn(sum(lengths), channels))
        self.layers = nn.ModuleList(Layer(channels, heads) for _ in range(layers))

    def forward(self, tokens: Tensor, presence: Tensor) -> Tensor:
        lengths: Tensor = self.get_buffer("lengths")
        if self.pack:
            packed, positions, mask = ops.presence_pack(tokens, presence, lengths)
            return ops.presence_unpack(self._layers(packed, mask), positions, self.absent)
        places = torch.arange(tokens.shape[1])
        owners = torch.bucketize(places, lengths.long().cumsum(0), right=True)
        mask = (presence > 0.5).index_select(1, owners).to(tokens.dtype)
        answers = self._layers(tokens, mask)
        return torch.where(mask[:, :, None] > 0.5, answers, self.absent)

    def _layers(self, x: Tensor, mask: Tensor) -> Tensor:
        seen = ((mask - 1.0) * 1e9)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, seen)
        return x


def models(
    lengths: Sequence[int], channels: int, heads: int, layers: int
) -> tuple[FusionTransformer, FusionTransformer]:
    """The packing and the masking transformer, of the same random weights."""
    pair = [FusionTransformer(lengths, channels, heads, layers, pack) for pack in (True, False)]
    pair[1].load_state_dict(pair[0].state_dict())
    return pair[0].eval(), pair[1].eval()


def exported(model: nn.Module, example: tuple[Tensor, ...], fuse: bool) -> bytes:
    """An ONNX model, with fused operators or in standard ONNX."""
    form = contextlib.nullcontext() if fuse else ops.portable()
    with torch.no_grad(), form:
        program = torch.onnx.export(
            model,
            example,
            dynamo=True,
            opset_version=20,
            custom_translation_table=ops.translations() if fuse else None,
            verbose=False,
        )
    assert program is not None
    model_bytes: bytes = program.model_proto.SerializeToString()
    return model_bytes


def session(
    model: nn.Module, example: tuple[Tensor, ...], fuse: bool, threads: int = 1
) -> onnxruntime.InferenceSession:
    """An export in ONNX Runtime, which knows our operators only where they are fused."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if fuse:
        options.register_custom_ops_library(fused.library())
    return onnxruntime.InferenceSession(
        exported(model, example, fuse), options, providers=["CPUExecutionProvider"]
    )
