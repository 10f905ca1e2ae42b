"""Finds scatters that pool rows into the cells of a plane, and puts pooling operators there.

Exporters write index_add, index_put and scatter_reduce as ScatterND or ScatterElements. Which
operator fits depends on what is known: where rows go is constant for a calibrated camera
(BevPool, where the rows are depth times context; SegmentReduce), and comes with every sample for
points (PillarScatter).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from plait import ops
from plait_export.rewrite.graph import Array, attribute
from plait_export.rewrite.match import Match, NearMiss, Unfit
from plait_export.rewrite.views import SCATTERS, Step, Views, sources

_REDUCTIONS = {"add": "sum", "max": "max"}


@dataclass(frozen=True)
class _Scatter:
    """rows [rows, channels] go to cells, of which there are `count`. indices: the tensor they come
    from; width: numbers that make one index. own: whether an untouched cell stays out of a
    maximum."""

    node: onnx.NodeProto
    reduce: str
    rows: str
    channels: int
    count: int
    indices: str
    sizes: tuple[int, ...]
    own: bool


@dataclass(frozen=True)
class _Plane:
    """value: the last one that holds the pooled cells, the first `cells` of them. channels_first:
    [channels, cells], else [cells, channels]."""

    value: str
    cells: int
    channels_first: bool


def find_scatters(views: Views) -> Iterator[Match | NearMiss]:
    """A match or a near miss for every scatter that adds or takes maxima."""
    spared = _cleared(views)
    for node in views.index.model.graph.node:
        if node.op_type not in SCATTERS or node.output[0] in spared:
            continue
        name = node.name or node.output[0]
        reduction = attribute(node, "reduction", "none")
        if reduction == "none":
            if _loses_rows(views, node):
                yield NearMiss("PillarScatter", name, _LOST)
            continue
        try:
            yield _match(views, node, name, reduction)
        except Unfit as reason:
            yield NearMiss("PillarScatter", name, str(reason))


_LOST = (
    "rows with the same index overwrite one another, in no order that ONNX defines; if the model "
    "adds or averages them, the exporter has lost that: index_add with dynamo=True keeps it"
)


def _match(views: Views, node: onnx.NodeProto, name: str, reduction: str) -> Match:
    if reduction not in _REDUCTIONS:
        raise Unfit(f"its reduction is {reduction}; the operators sum or take the maximum")
    scatter = _scatter(views, node, _REDUCTIONS[reduction])
    plane = _plane(views, scatter)
    cells = _constant_cells(views, scatter)
    if cells is not None and scatter.reduce == "sum" and plane.channels_first:
        lifted = _lifted(views, scatter, plane, cells)
        if lifted is not None:
            return _write_bev(views, scatter, plane, name, lifted)
    if cells is not None and not plane.channels_first:
        return _write_segments(views, scatter, plane, name, cells)
    return _write_pillars(views, scatter, plane, name)


def _scatter(views: Views, node: onnx.NodeProto, reduce: str) -> _Scatter:
    base, indices, updates = node.input
    if views.index.element_type(updates) not in ("float32", "float16"):
        raise Unfit("it scatters neither float32 nor float16")
    own = _is_cleared(views, base, node)
    if not own and not _is_zero(views, base):
        raise Unfit("what it adds to is not all zeros")
    if base in views.index.varying and not own:
        raise Unfit("the number of cells depends on the inputs")
    shape = views.shapes[base]
    if node.op_type == "ScatterND":
        width = views.shapes[indices][-1]
        sizes = shape[:width]
    else:
        if len(shape) != 2 or attribute(node, "axis", 0) % 2 != 0:
            raise Unfit("it scatters along another axis than the first of two")
        sizes, width = shape[:1], 1
        indices = _row_indices(views, indices)
    channels = math.prod(shape[width:])
    return _Scatter(node, reduce, updates, channels, math.prod(sizes), indices, sizes, own)


def _is_zero(views: Views, value: str) -> bool:
    node = views.index.producer(value)
    constant = views.index.constant(value)
    if constant is not None:
        return not constant.any()
    if node is None:
        return False
    if node.op_type in ("Expand", "Reshape", "Identity", "Cast", "Unsqueeze", "Squeeze"):
        return _is_zero(views, node.input[0])
    if node.op_type == "ConstantOfShape":
        said = attribute(node, "value")
        return said is None or not onnx.numpy_helper.to_array(said).any()
    return False


def _is_cleared(views: Views, base: str, node: onnx.NodeProto) -> bool:
    """Whether the same indices set all touched cells of zeros to the least number first: how a
    maximum that leaves the zeros out is exported."""
    first = views.index.producer(base)
    if first is None or first.op_type != node.op_type or first.input[1] != node.input[1]:
        return False
    if attribute(first, "reduction", "none") != "min" or not _is_zero(views, first.input[0]):
        return False
    # Its updates are a constant, or an expanded one.
    steps = views.back(first.input[2])
    source = views.index.producer(sources(first.input[2], steps)[-1])
    values = views.index.constant(sources(first.input[2], steps)[-1])
    if values is None and source is not None and source.op_type == "ConstantOfShape":
        said = attribute(source, "value")
        values = np.zeros(1) if said is None else onnx.numpy_helper.to_array(said)
    if values is None:
        return False
    return bool((values <= np.finfo(values.dtype).min).all())


def _cleared(views: Views) -> set[str]:
    """Scatters that only prepare another one."""
    return {
        node.input[0]
        for node in views.index.model.graph.node
        if node.op_type in SCATTERS and _is_cleared(views, node.input[0], node)
    }


def _row_indices(views: Views, indices: str) -> str:
    """The tensor with one index a row, which ScatterElements wants repeated for each channel."""
    rows, channels = views.shapes[indices]
    wanted = np.repeat(np.arange(rows), channels).reshape(rows, channels)
    steps = views.back(indices)
    for name in sources(indices, steps)[1:]:
        if views.size(name) == rows:
            origin = views.origins(name, steps)
            if origin is not None and np.array_equal(origin, wanted):
                return name
    raise Unfit("each channel has indices of its own")


def _loses_rows(views: Views, node: onnx.NodeProto) -> bool:
    """Whether a scatter without a reduction was seen to write a cell of zeros twice."""
    indices = views.value(node.input[1])
    if indices is None or not _is_zero(views, node.input[0]) or indices.size == 0:
        return False
    if node.op_type == "ScatterND":
        rows = indices.reshape(-1, indices.shape[-1])
    elif indices.ndim == 2:
        rows = np.moveaxis(indices, attribute(node, "axis", 0), 0)[:, :1]
    else:
        return False
    return len(np.unique(rows, axis=0)) < len(rows)


def _plane(views: Views, scatter: _Scatter) -> _Plane:
    """The last value that is all, or the first, of the cells in one of the two orders."""
    start = scatter.node.output[0]
    numbers: Array | None = views.numbers(start)
    found = _Plane(start, scatter.count, False)
    for step in views.forward(start):
        numbers = views.move(step, numbers)
        if numbers is None or numbers.size == 0 or numbers.size % scatter.channels:
            break
        cells = numbers.size // scatter.channels
        flat = numbers.reshape(-1)
        whole = np.arange(numbers.size).reshape(cells, scatter.channels)
        if np.array_equal(flat, whole.T.reshape(-1)) and scatter.channels > 1 and cells > 1:
            found = _Plane(step.result, cells, True)
        elif np.array_equal(flat, whole.reshape(-1)):
            found = _Plane(step.result, cells, False)
    return found


def _constant_cells(views: Views, scatter: _Scatter) -> Array | None:
    """[rows] cells, where they are the same for all inputs."""
    if scatter.indices in views.index.varying:
        return None
    found = views.value(scatter.indices)
    if found is None:
        return None
    numbers = found.reshape(-1, len(scatter.sizes)).astype(np.int64)
    numbers = np.where(numbers < 0, numbers + np.array(scatter.sizes), numbers)
    cells: Array = np.asarray(np.ravel_multi_index(tuple(numbers.T), scatter.sizes))
    return cells


def _lifted(
    views: Views, scatter: _Scatter, plane: _Plane, cells: Array
) -> tuple[str, str, Array] | None:
    """depth, context, and for every point [depth's element, pixel, cell], where the rows are the
    product of both."""
    steps = views.back(scatter.rows)
    end = sources(scatter.rows, steps)[-1]
    product = views.index.producer(end)
    if (
        product is None
        or product.op_type != "Mul"
        or any(name not in views.shapes for name in product.input)
    ):
        return None
    for depth, context in (product.input, reversed(product.input)):
        points = _points(views, scatter, plane, (depth, context), (product, steps))
        if points is not None:
            return *points[:2], np.stack([*points[2], cells])
    return None


def _points(
    views: Views,
    scatter: _Scatter,
    plane: _Plane,
    factors: tuple[str, str],
    path: tuple[onnx.NodeProto, list[Step]],
) -> tuple[str, str, tuple[Array, Array]] | None:
    product, steps = path
    found: list[tuple[str, Array]] = []
    for factor in factors:
        chain = [*steps, Step(product, factor, product.output[0]), *views.back(factor)]
        source = sources(scatter.rows, chain)[-1]
        # Expand repeats elements: the tensor before it is the smallest.
        smallest = min((step.source for step in chain[len(steps) :]), key=views.size)
        source = source if views.size(source) == views.size(smallest) else smallest
        origin = views.origins(source, chain)
        if origin is None:
            return None
        found.append((source, origin.reshape(-1, scatter.channels)))
    (depth, elements), (context, features) = found
    pixels = _pixels(views, context, features)
    if pixels is None or len(views.shapes[depth]) < 3 or not (elements == elements[:, :1]).all():
        return None
    if views.size(depth) % (views.size(context) // scatter.channels):
        return None
    return depth, context, (elements[:, 0], pixels)


def _pixels(views: Views, context: str, features: Array) -> Array | None:
    """The pixel of each row, where rows hold all channels of one pixel of [..., channels, height,
    width]."""
    shape, channels = views.shapes[context], features.shape[1]
    if len(shape) < 4 or shape[-3] != channels:
        return None
    size = shape[-2] * shape[-1]
    first = features[:, 0]
    inside = (first % (channels * size) < size).all()
    if not inside or not np.array_equal(features, first[:, None] + np.arange(channels) * size):
        return None
    pixels: Array = first // (channels * size) * size + first % size
    return pixels


def _begin(views: Views, scatter: _Scatter, plane: _Plane, name: str, operator: str) -> Match:
    points = views.size(scatter.rows) // scatter.channels
    detail = f"{scatter.reduce} of {points} rows, {scatter.channels} channels, {plane.cells} cells"
    return Match(operator, name, plane.value, detail)


def _canvas(views: Views, plane: _Plane) -> tuple[int, int]:
    """Rows and columns, as the graph has them at the end."""
    shape = views.shapes[plane.value]
    if plane.channels_first and len(shape) >= 3 and shape[-1] * shape[-2] == plane.cells:
        return shape[-2], shape[-1]
    return 1, plane.cells


def _finish(views: Views, match: Match, scatter: _Scatter, plane: _Plane, pooled: str) -> None:
    """From the operator's output to the value's shape, with zeros in maxima where they count."""
    if scatter.reduce == "max" and not scatter.own and not _is_positive(views, scatter.rows):
        pooled = match.add("Relu", [pooled])
    match.finish(match.reshape(pooled, list(views.shapes[plane.value])))


def _is_positive(views: Views, rows: str) -> bool:
    node = views.index.producer(sources(rows, views.back(rows))[-1])
    return node is not None and node.op_type in ("Relu", "Sigmoid", "Softmax", "Abs", "Exp")


def _write_pillars(views: Views, scatter: _Scatter, plane: _Plane, name: str) -> Match:
    match = _begin(views, scatter, plane, name, "PillarScatter")
    values = match.reshape(scatter.rows, [-1, scatter.channels])
    cells = _cells(match, scatter, plane)
    rows, columns = _canvas(views, plane)
    said = {"rows": rows, "columns": columns, "reduce": scatter.reduce}
    pooled = match.add("PillarScatter", [values, cells], ops.DOMAIN, **said)
    if not plane.channels_first:
        flat = match.reshape(pooled, [scatter.channels, plane.cells])
        pooled = match.add("Transpose", [flat], perm=[1, 0])
    _finish(views, match, scatter, plane, pooled)
    return match


def _cells(match: Match, scatter: _Scatter, plane: _Plane) -> str:
    """int32 [rows]; what counts from the end does so no more, and what the graph cuts off is -1."""
    width = len(scatter.sizes)
    indices = match.add("Cast", [scatter.indices], to=int(onnx.TensorProto.INT64))
    indices = match.reshape(indices, [-1, width])
    zero = match.constant("zero", np.array(0, np.int64))
    sizes = match.constant("sizes", np.array(scatter.sizes, np.int64))
    negative = match.add("Less", [indices, zero])
    whole = match.add("Where", [negative, match.add("Add", [indices, sizes]), indices])
    if width > 1:
        strides = [math.prod(scatter.sizes[place + 1 :]) for place in range(width)]
        scaled = match.add("Mul", [whole, match.constant("strides", np.array(strides, np.int64))])
        axis = match.constant("axis", np.array([1], np.int64))
        whole = match.add("ReduceSum", [scaled, axis], keepdims=0)
    else:
        whole = match.reshape(whole, [-1])
    if plane.cells < scatter.count:
        limit = match.constant("limit", np.array(plane.cells, np.int64))
        outside = match.constant("outside", np.array(-1, np.int64))
        whole = match.add("Where", [match.add("Less", [whole, limit]), whole, outside])
    return match.add("Cast", [whole], to=int(onnx.TensorProto.INT32))


def _write_segments(
    views: Views, scatter: _Scatter, plane: _Plane, name: str, cells: Array
) -> Match:
    match = _begin(views, scatter, plane, name, "SegmentReduce")
    values = match.reshape(scatter.rows, [-1, scatter.channels])
    order = np.argsort(cells, kind="stable")
    order = order[cells[order] < plane.cells]
    if not np.array_equal(order, np.arange(len(cells))):
        values = match.add("Gather", [values, match.constant("order", order.astype(np.int64))])
    counts = np.bincount(cells[order], minlength=plane.cells)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    pooled = match.add(
        "SegmentReduce",
        [values, match.constant("offsets", offsets)],
        ops.DOMAIN,
        reduce=scatter.reduce,
    )
    _finish(views, match, scatter, plane, pooled)
    return match


def _write_bev(
    views: Views, scatter: _Scatter, plane: _Plane, name: str, lifted: tuple[str, str, Array]
) -> Match:
    depth, context, points = lifted
    match = _begin(views, scatter, plane, name, "BevPool")
    elements, pixels, cells = points[:, points[2] < plane.cells]
    order = np.lexsort((elements, pixels, cells))
    counts = np.bincount(cells, minlength=plane.cells)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    channels, height, width = views.shapes[context][-3:]
    cameras = views.size(context) // (channels * height * width)
    bins = views.size(depth) // (cameras * height * width)
    rows, _ = _canvas(views, plane)
    pooled = match.add(
        "BevPool",
        [
            match.reshape(depth, [cameras, bins, height, width]),
            match.reshape(context, [cameras, channels, height, width]),
            match.constant("depths", elements[order].astype(np.int32)),
            match.constant("pixels", pixels[order].astype(np.int32)),
            match.constant("offsets", offsets),
        ],
        ops.DOMAIN,
        rows=rows,
    )
    _finish(views, match, scatter, plane, pooled)
    return match
