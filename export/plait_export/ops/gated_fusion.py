"""GatedFusion: LayerNorm of the modalities' sum, each weighed by a sigmoid gate."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from plait_export.ops.operator import TorchOperator, register


def reference(gate: Tensor, x: Tensor, scale: Tensor, shift: Tensor, epsilon: float) -> Tensor:
    """gate, x: [modalities, tokens, channels]; scale, shift: [channels] -> [tokens, channels]."""
    total = (torch.sigmoid(gate) * x).sum(0)
    return layer_norm(total, (total.shape[-1],), scale, shift, epsilon)


def _shape(gate: Tensor, x: Tensor, scale: Tensor, shift: Tensor, epsilon: float) -> Tensor:
    return x.new_empty(x.shape[1:])


OPERATOR = TorchOperator("GatedFusion", reference, register(reference, _shape, "gated_fusion"))


def gated_fusion(
    gate: Tensor, x: Tensor, scale: Tensor, shift: Tensor, epsilon: float = 1e-5
) -> Tensor:
    """LayerNorm(sum over modalities of sigmoid(gate) * x) * scale + shift.

    gate, x: [modalities, tokens, channels]; scale, shift: [channels]. Returns [tokens, channels].
    Differentiable. Source: Arevalo et al., Gated Multimodal Units for Information Fusion (2017).
    """
    fused: Tensor = OPERATOR(gate, x, scale, shift, epsilon)
    return fused
