"""The heights and widths of feature maps, as an input of the fused attention."""

from __future__ import annotations

import numpy as np
import onnx

from plait_export.rewrite.match import Match
from plait_export.rewrite.views import Step, Views


def level_sizes(
    views: Views, match: Match, maps: tuple[tuple[int, int], ...], steps: list[list[Step]]
) -> str:
    """The name of [levels, 2] int32: constant, or as the graph computes them for its reshapes.

    maps: as observed. steps: how each map was cut out, the last step first.
    """
    parts = [_map_size(views, match, chain) for chain in steps]
    if views.index.is_static() or all(part is None for part in parts):
        return match.constant("levels", np.array(maps, np.int32))
    pair = match.constant("pair", np.array([1, 2], np.int64))
    rows = [
        match.constant("level", np.array([size], np.int64))
        if part is None
        else match.add("Reshape", [part, pair])
        for part, size in zip(parts, maps, strict=True)
    ]
    joined = match.add("Concat", rows, axis=0)
    return match.add("Cast", [joined], to=int(onnx.TensorProto.INT32))


def _map_size(views: Views, match: Match, chain: list[Step]) -> str | None:
    """The name of a map's height and width, computed as the graph runs; None: they are constant."""
    node = chain[0].node
    if node.op_type != "Reshape":
        source = match.add("Shape", [chain[0].result])
    else:
        shape = views.index.constant(node.input[1])
        if shape is not None and (shape[2:] > 0).all():
            return None
        source = node.input[1] if shape is None else match.add("Shape", [chain[0].result])
    start, end = (match.constant("edge", np.array([n], np.int64)) for n in (2, 4))
    return match.add("Slice", [source, start, end])
