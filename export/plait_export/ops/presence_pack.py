"""PresencePack: the tokens of present modalities, one behind the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from plait_export.ops.operator import TorchOperator, register


def reference(tokens: Tensor, presence: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As the function below: the smallest positions first, then rows of a table."""
    batch, count, channels = tokens.shape
    places = torch.arange(count, device=tokens.device)
    owners = torch.bucketize(places, lengths.long().cumsum(0), right=True)
    kept = (presence > 0.5).index_select(1, owners)
    longest = _longest(kept)
    # What is left out comes behind all that is kept, and is told from it by its size.
    keys = torch.where(kept, places, places + count)
    order = torch.topk(keys, longest, dim=1, largest=False, sorted=True).values
    real = order < count
    rows = torch.where(real, order, 0) + count * torch.arange(batch, device=tokens.device)[:, None]
    table = tokens.reshape(batch * count, channels)
    taken = table.index_select(0, rows.reshape(-1)).reshape(batch, longest, channels)
    packed = torch.where(real[:, :, None], taken, torch.zeros_like(taken))
    return packed, torch.where(real, order, -1).int(), real.to(tokens.dtype)


def _longest(kept: Tensor) -> Any:
    """The most kept tokens of a row: a number, or while a graph is traced a symbol for it."""
    if kept.shape[0] == 0 or kept.shape[1] == 0:
        return 0
    longest = kept.sum(1).max().item()
    torch._check(longest >= _least())  # type: ignore[no-untyped-call]
    torch._check(longest <= kept.shape[1])  # type: ignore[no-untyped-call]
    return longest


def _least() -> int:
    """What torch may take for granted of that number. Of every dynamic size, an export takes for
    granted that it is neither 0 nor 1, and it can't trace attention over one that may be; ONNX's
    operators do right by all sizes."""
    return 2 if torch.compiler.is_exporting() else 0


def _shape(tokens: Tensor, presence: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    batch, _, channels = tokens.shape
    longest = torch.library.get_ctx().new_dynamic_size(min=_least())
    return (
        tokens.new_empty(batch, longest, channels),
        lengths.new_empty(batch, longest),
        tokens.new_empty(batch, longest),
    )


OPERATOR = TorchOperator("PresencePack", reference, register(reference, _shape, "presence_pack"))


def presence_pack(
    tokens: Tensor, presence: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Leaves out the tokens of absent modalities.

    tokens: [batch, tokens, channels], modality after modality; presence: [batch, modalities], above
    0.5 where present; lengths: [modalities] int32, tokens of each. Returns packed [batch, packed,
    channels], positions [batch, packed] int32 and mask [batch, packed], packed as many as the
    fullest batch row has: behind the last token of other rows 0, -1 and 0; the mask is 1 for every
    token. Differentiable in tokens.
    """
    packed, positions, mask = OPERATOR(tokens, presence, lengths)
    return packed, positions, mask
