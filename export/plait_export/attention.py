"""Self-attention of one token over a cache of fixed length, for the step of a Generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def cached_attention(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    new_key: Tensor,
    new_value: Tensor,
    position: Tensor,
    scale: float | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """What a token at `position` attends to: the cache before it, and itself.

    query, new_key, new_value: [batch, heads, size]. keys, values: [batch, heads, max_length, size].
    position: int64 [batch, 1]. scale: None for 1 / sqrt(size). bias: added to the scores,
    broadcast to [batch, heads, max_length], the token's own at its position. Returns [batch, heads,
    size].

    The cache is read where it lies: nothing is appended, so a step copies no more than it adds.
    """
    import torch

    if scale is None:
        scale = query.shape[-1] ** -0.5
    places = torch.arange(keys.shape[2], device=keys.device)
    scores = torch.matmul(keys, query.unsqueeze(-1)).squeeze(-1) * scale
    own = (query * new_key).sum(-1, keepdim=True) * scale
    if bias is not None:
        scores = scores + bias
        at = (places == position).to(scores.dtype).unsqueeze(1)
        own = own + (bias * at).sum(-1, keepdim=True)
    earlier = (places < position).unsqueeze(1)
    scores = scores.masked_fill(~earlier, torch.finfo(scores.dtype).min)
    weights = torch.softmax(torch.cat((scores, own), dim=-1), dim=-1)
    seen = torch.matmul(weights[..., :-1].unsqueeze(2), values).squeeze(2)
    return seen + weights[..., -1:] * new_value
