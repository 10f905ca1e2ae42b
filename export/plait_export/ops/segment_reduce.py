"""SegmentReduce: sums, means or maxima of consecutive rows, a segment each."""

from __future__ import annotations

import torch
from torch import Tensor

from plait_export.ops.operator import TorchOperator, register


def reference(values: Tensor, offsets: Tensor, reduce: str) -> Tensor:
    """values: [rows, channels]; offsets: [segments + 1] int32 -> [segments, channels]."""
    segments = offsets.shape[0] - 1
    rows = torch.arange(values.shape[0], device=values.device, dtype=offsets.dtype)
    owners = torch.bucketize(rows, offsets[1:], right=True)
    empty = values.new_zeros(segments, values.shape[1])
    if reduce == "max":
        index = owners[:, None].expand_as(values)
        return empty.scatter_reduce(0, index, values, "amax", include_self=False)
    total = empty.index_add(0, owners, values)
    if reduce == "sum":
        return total
    counts = (offsets[1:] - offsets[:-1]).clamp(min=1).to(values.dtype)
    return total / counts[:, None]


def _shape(values: Tensor, offsets: Tensor, reduce: str) -> Tensor:
    return values.new_empty(offsets.shape[0] - 1, values.shape[1])


OPERATOR = TorchOperator("SegmentReduce", reference, register(reference, _shape, "segment_reduce"))


def segment_reduce(values: Tensor, offsets: Tensor, reduce: str = "sum") -> Tensor:
    """The "sum", "mean" or "max" of values[offsets[s]:offsets[s + 1]] for every segment s.

    values: [rows, channels]; offsets: [segments + 1] int32, rising from 0 to rows. Returns
    [segments, channels]; 0 for an empty segment. Differentiable in values.
    """
    reduced: Tensor = OPERATOR(values, offsets, reduce)
    return reduced
