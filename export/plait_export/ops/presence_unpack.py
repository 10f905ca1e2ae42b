"""PresenceUnpack: packed tokens back in their places, a stand-in in all others."""

from __future__ import annotations

import torch
from torch import Tensor

from plait_export.ops.operator import TorchOperator, register


def reference(packed: Tensor, positions: Tensor, absent: Tensor) -> Tensor:
    """As the function below: a table of packed and absent tokens, and which row goes where."""
    batch, slots, channels = packed.shape
    count = absent.shape[0]
    places = torch.arange(count, device=packed.device)
    rows = torch.arange(batch * slots, device=packed.device).reshape(batch, slots)
    # One place more than there are tokens takes what padding would write.
    sources = torch.cat([places + batch * slots, places.new_zeros(1)]).repeat(batch, 1)
    targets = torch.where(positions >= 0, positions.long(), count)
    sources = sources.scatter(1, targets, rows)[:, :count]
    table = torch.cat([packed.reshape(batch * slots, channels), absent])
    return table.index_select(0, sources.reshape(-1)).reshape(batch, count, channels)


def _shape(packed: Tensor, positions: Tensor, absent: Tensor) -> Tensor:
    return packed.new_empty(packed.shape[0], absent.shape[0], absent.shape[1])


OPERATOR = TorchOperator(
    "PresenceUnpack", reference, register(reference, _shape, "presence_unpack")
)


def presence_unpack(packed: Tensor, positions: Tensor, absent: Tensor) -> Tensor:
    """packed[b][p] at token positions[b][p], and absent[t] at every other token t.

    packed: [batch, packed, channels]; positions: [batch, packed] int32, as presence_pack gives
    them: rising, then -1 for padding; absent: [tokens, channels]. Returns [batch, tokens,
    channels]. Differentiable in packed and absent.
    """
    unpacked: Tensor = OPERATOR(packed, positions, absent)
    return unpacked
