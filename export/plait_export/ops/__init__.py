"""The fused operators for PyTorch: reference, torch op, ONNX translation, portable form.

A module that calls `plait_export.ops.gated_fusion(...)` trains and runs in plain torch, and exports
either way: `translations()` makes it one node of the domain ai.plait, which any ONNX Runtime
with Plait's library runs; exported inside of `portable()` it becomes standard ONNX
operators, which run anywhere. Every file describes one operator in a `TorchOperator`, listed here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plait_export.ops.batch import each
from plait_export.ops.bev_pool import OPERATOR as _bev_pool
from plait_export.ops.bev_pool import BevPoints, bev_points, bev_pool
from plait_export.ops.gated_fusion import OPERATOR as _gated_fusion
from plait_export.ops.gated_fusion import gated_fusion
from plait_export.ops.multi_scale_deformable_attention import (
    OPERATOR as _multi_scale_deformable_attention,
)
from plait_export.ops.multi_scale_deformable_attention import multi_scale_deformable_attention
from plait_export.ops.operator import TorchOperator, portable
from plait_export.ops.pillar_scatter import OPERATOR as _pillar_scatter
from plait_export.ops.pillar_scatter import pillar_scatter
from plait_export.ops.presence_pack import OPERATOR as _presence_pack
from plait_export.ops.presence_pack import presence_pack
from plait_export.ops.presence_unpack import OPERATOR as _presence_unpack
from plait_export.ops.presence_unpack import presence_unpack
from plait_export.ops.segment_reduce import OPERATOR as _segment_reduce
from plait_export.ops.segment_reduce import segment_reduce
from plait_export.ops.skeleton import OPERATOR as _skeleton
from plait_export.ops.skeleton import skeleton
from plait_export.ops.voxel_reduce import OPERATOR as _voxel_reduce
from plait_export.ops.voxel_reduce import Voxels, voxel_reduce

OPERATORS: tuple[TorchOperator, ...] = (
    _bev_pool,
    _gated_fusion,
    _multi_scale_deformable_attention,
    _pillar_scatter,
    _presence_pack,
    _presence_unpack,
    _segment_reduce,
    _skeleton,
    _voxel_reduce,
)

__all__ = [
    "OPERATORS",
    "BevPoints",
    "TorchOperator",
    "Voxels",
    "bev_points",
    "bev_pool",
    "each",
    "gated_fusion",
    "multi_scale_deformable_attention",
    "pillar_scatter",
    "portable",
    "presence_pack",
    "presence_unpack",
    "segment_reduce",
    "skeleton",
    "translations",
    "voxel_reduce",
]


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For torch.onnx.export(custom_translation_table=...): every operator as one fused node."""
    return {operator.overload: operator.translation() for operator in OPERATORS}
