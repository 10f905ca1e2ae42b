"""Finds multi-scale deformable attention written with a GridSample for each level.

What is looked for: the levels' samples, times weights, summed. Everything between (how a level is
cut out of all positions, how heads move into the batch, how samples are put side by side) is views,
and is compared by where elements come from. So the passes know neither torch's exporters nor the
model code: Deformable DETR, its descendants and BEVFormer's attention are one to them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from plait import ops
from plait_export.rewrite.graph import Array, attribute
from plait_export.rewrite.levels import level_sizes
from plait_export.rewrite.match import Match, NearMiss, Unfit
from plait_export.rewrite.views import Affine, Step, Views, sources

OPERATOR = "MultiScaleDeformableAttention"
_PROBED_ROWS = 1 << 16
_JOINING = ("Concat", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_SAMPLES_ORDER = (0, 2, 3, 1)  # of batch, queries, heads, channels


@dataclass(frozen=True)
class _Sizes:
    batch: int
    queries: int
    heads: int
    channels: int
    points: int
    maps: tuple[tuple[int, int], ...]

    @property
    def levels(self) -> int:
        return len(self.maps)

    @property
    def positions(self) -> int:
        return sum(height * width for height, width in self.maps)


@dataclass(frozen=True)
class _Sum:
    """Samples weighed and summed. samples: GridSample nodes, a level each, in the weights' order.
    rows: which outputs of the sum were looked at. order: for each of them and each of its terms the
    number of the sample, the levels' samples numbered one after the other."""

    product: onnx.NodeProto
    total: onnx.NodeProto
    samples: list[onnx.NodeProto]
    weights: str
    order: Array
    rows: Array


def find_deformable(views: Views) -> Iterator[Match | NearMiss]:
    """A match or a near miss for every group of GridSamples that end in one product."""
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in views.index.model.graph.node:
        if node.op_type == "GridSample":
            groups.setdefault(_end(views, node.output[0]), []).append(node)
    for end, samples in groups.items():
        try:
            yield _match(views, end, samples)
        except Unfit as reason:
            yield NearMiss(OPERATOR, samples[0].name or samples[0].output[0], str(reason))


def _end(views: Views, value: str) -> str:
    """Where samples arrive after views and Concat."""
    while (node := views.index.only_consumer(value)) is not None:
        if node.op_type not in _JOINING:
            break
        value = node.output[0]
    return value


def _match(views: Views, end: str, samples: list[onnx.NodeProto]) -> Match:
    for node in samples:
        _check_sampling(views, node)
    summed = _sum(views, end, samples)
    value, sizes, steps = _value(views, summed)
    locations, affine = _locations(views, summed, sizes)
    weights = _weights(views, summed, sizes)
    result = _result(views, summed, sizes)
    detail = (
        f"{sizes.queries} queries, {sizes.heads} heads of {sizes.channels} channels, "
        f"{sizes.points} points in each of {sizes.levels} levels"
    )
    match = Match(OPERATOR, samples[0].name or samples[0].output[0], result, detail)
    _write(views, match, (summed, sizes, steps), (value, locations, weights), affine)
    return match


def _check_sampling(views: Views, node: onnx.NodeProto) -> None:
    said = (
        attribute(node, "mode", "linear"),
        attribute(node, "padding_mode", "zeros"),
        attribute(node, "align_corners", 0),
    )
    if said[0] not in ("linear", "bilinear") or said[1:] != ("zeros", 0):
        raise Unfit(
            f"samples are {said[0]}, padded with {said[1]}, align_corners {said[2]}; "
            "the operator's are bilinear, zeros and 0"
        )
    if len(views.shapes[node.input[0]]) != 4:
        raise Unfit("maps are no pictures: they have three dimensions")
    if views.index.element_type(node.input[0]) not in ("float32", "float16"):
        raise Unfit("samples are neither float32 nor float16")


def _sum(views: Views, end: str, samples: list[onnx.NodeProto]) -> _Sum:
    product = views.index.only_consumer(end)
    if product is None or product.op_type != "Mul":
        raise Unfit("samples are not multiplied by weights")
    total = views.index.only_consumer(product.output[0])
    if total is None or total.op_type != "ReduceSum":
        raise Unfit("weighed samples are not summed by a ReduceSum of their own")
    ordered, order = _in_order(views, end, samples, product, total)
    rows = np.arange(len(order))
    if len(rows) > _PROBED_ROWS:  # every view is regular, and the answers are compared besides
        rows = np.sort(np.random.default_rng(0).choice(rows, _PROBED_ROWS, replace=False))
    (weights,) = [name for name in product.input if name != end]
    return _Sum(product, total, ordered, weights, order[rows], rows)


def _in_order(
    views: Views,
    end: str,
    samples: list[onnx.NodeProto],
    product: onnx.NodeProto,
    total: onnx.NodeProto,
) -> tuple[list[onnx.NodeProto], Array]:
    """The levels in the order in which the first sum meets them, and the terms of every sum."""
    shapes = {views.shapes[node.output[0]] for node in samples}
    if len(shapes) != 1:
        raise Unfit("levels have different numbers of points, or are not attended by the same")
    size = math.prod(next(iter(shapes)))
    leaves = {node.output[0]: size * level for level, node in enumerate(samples)}
    terms = _terms(views, product, total, _joined(views, end, leaves))
    met = list(dict.fromkeys(int(number) // size for number in terms[0])) if len(terms) else []
    if sorted(met) != list(range(len(samples))):
        raise Unfit("a sum does not rest on every level")
    place = np.argsort(np.array(met)).astype(terms.dtype)
    terms = place[terms // size] * size + terms % size
    return [samples[level] for level in met], terms


def _joined(views: Views, value: str, leaves: dict[str, int]) -> Array:
    """Numbers of the samples that arrive at a value."""
    if value in leaves:
        numbers: Array = views.numbers(value).astype(np.int64) + leaves[value]
        return numbers
    node = views.index.producer(value)
    if node is None:
        raise Unfit("something else is joined to the samples")
    if node.op_type == "Concat":
        parts = [_joined(views, name, leaves) for name in node.input]
        return np.concatenate(parts, attribute(node, "axis"))
    moved = views.move(Step(node, node.input[0], value), _joined(views, node.input[0], leaves))
    if moved is None:
        raise Unfit("samples go through a view that cannot be followed")
    return moved


def _terms(views: Views, product: onnx.NodeProto, total: onnx.NodeProto, numbers: Array) -> Array:
    """numbers broadcast as in the product, [outputs of the sum, terms of each]."""
    shape = views.shapes[product.output[0]]
    axes = attribute(total, "axes")
    if axes is None and len(total.input) > 1 and total.input[1]:
        found = views.index.constant(total.input[1])
        axes = None if found is None else found.tolist()
    if not axes:
        raise Unfit("the axes of the sum are not constant")
    summed = sorted(axis % len(shape) for axis in axes)
    kept = [axis for axis in range(len(shape)) if axis not in summed]
    count = math.prod(shape[axis] for axis in summed)
    wide = np.broadcast_to(numbers, shape).transpose(*kept, *summed)
    return wide.reshape(-1, count)


def _value(views: Views, summed: _Sum) -> tuple[str, _Sizes, list[list[Step]]]:
    """The tensor [batch, positions, heads, channels], in any shape with this order."""
    steps = [views.back(node.input[0]) for node in summed.samples]
    shared = _shared(summed, steps, 0)
    shapes = [views.shapes[node.input[0]] for node in summed.samples]
    maps = tuple((shape[2], shape[3]) for shape in shapes)
    rows, channels = shapes[0][:2]
    queries, points = views.shapes[summed.samples[0].output[0]][2:]
    for name in shared:
        if views.size(name) != rows * channels * sum(height * width for height, width in maps):
            continue
        origins = [views.origins(name, chain) for chain in steps]
        for heads in (n for n in range(1, rows + 1) if rows % n == 0):
            sizes = _Sizes(rows // heads, queries, heads, channels, points, maps)
            if _is_value(sizes, origins):
                return name, sizes, steps
    raise Unfit("no tensor holds all maps one after the other, with heads before channels")


def _shared(summed: _Sum, steps: list[list[Step]], position: int) -> list[str]:
    """Tensors that lie on every level's chain, the nearest first."""
    lists = [
        sources(node.input[position], chain)
        for node, chain in zip(summed.samples, steps, strict=True)
    ]
    if len(lists) == 1:
        return lists[0][1:] or lists[0]
    return [name for name in lists[0] if all(name in other for other in lists[1:])]


def _is_value(sizes: _Sizes, origins: list[Array | None]) -> bool:
    numbers = np.arange(sizes.batch * sizes.positions * sizes.heads * sizes.channels)
    whole = numbers.reshape(sizes.batch, sizes.positions, sizes.heads, sizes.channels)
    start = 0
    for origin, (height, width) in zip(origins, sizes.maps, strict=True):
        level = whole[:, start : start + height * width].transpose(0, 2, 3, 1)
        if origin is None or not np.array_equal(level.reshape(origin.shape), origin):
            return False
        start += height * width
    return True


def _locations(views: Views, summed: _Sum, sizes: _Sizes) -> tuple[str, Affine]:
    """The tensor [batch, queries, heads, levels, points, 2], and what makes locations of it."""
    steps = [views.back(node.input[1], views.scalar_step) for node in summed.samples]
    outer = (sizes.batch, sizes.queries, sizes.heads)
    inner = (sizes.levels, sizes.points, 2)
    wanted = np.arange(math.prod(outer) * math.prod(inner)).reshape(*outer, *inner)
    found: tuple[str, Affine] | None = None
    for name in _shared(summed, steps, 1):
        if views.size(name) != wanted.size:
            continue
        affines = set()
        for level, chain in enumerate(steps):
            taken = wanted[:, :, :, level].swapaxes(1, 2)
            origin = views.origins(name, chain)
            if origin is None or not np.array_equal(taken.reshape(origin.shape), origin):
                break
            upto = [step.source for step in chain].index(name) + 1
            affines.add(views.affine(chain[:upto]))
        else:
            if len(affines) != 1:
                continue
            (grid,) = affines
            found = name, Affine(grid.scale / 2, (grid.offset + 1) / 2)
            if found[1] == Affine():
                return found
    if found is None:
        raise Unfit("no tensor holds all levels' locations, ordered by query, head, level, point")
    return found


def _weights(views: Views, summed: _Sum, sizes: _Sizes) -> str:
    """The tensor [batch, queries, heads, levels, points]."""
    each = sizes.batch * sizes.heads * sizes.channels * sizes.queries * sizes.points
    level, rest = np.divmod(summed.order, each)
    rest, point = np.divmod(rest, sizes.points)
    rest, query = np.divmod(rest, sizes.queries)
    rest //= sizes.channels
    batch, head = np.divmod(rest, sizes.heads)
    terms = level * sizes.points + point
    count = sizes.levels * sizes.points
    if terms.shape[1] != count or not (np.sort(terms, 1) == np.arange(count)).all():
        raise Unfit("a sum is not over every point of every level once")
    wanted = ((batch * sizes.queries + query) * sizes.heads + head) * count + terms
    steps = views.back(summed.weights)
    for name in sources(summed.weights, steps):
        if views.size(name) != sizes.batch * sizes.queries * sizes.heads * count:
            continue
        origin = views.numbers(name) if name == summed.weights else views.origins(name, steps)
        if origin is None:
            continue
        if np.array_equal(_terms(views, summed.product, summed.total, origin)[summed.rows], wanted):
            return name
    raise Unfit("no tensor holds the weights ordered by query, head, level and point")


def _result(views: Views, summed: _Sum, sizes: _Sizes) -> str:
    """The last value with the operator's output in its own order, [batch, queries, heads *
    channels]; where none is, the sum's, in the samples' order, [batch, heads, channels, queries].
    """
    each = sizes.batch * sizes.heads * sizes.channels * sizes.queries * sizes.points
    total: str = summed.total.output[0]
    rows = np.prod(views.shapes[total], dtype=int)
    if len(summed.rows) == rows:
        first = summed.order[:, 0] % each
    else:  # only probed rows are known: the order of the samples' own shape has to hold for them
        first = np.arange(rows, dtype=np.int64) * sizes.points
        if not np.array_equal(
            summed.order[:, 0] % each // sizes.points, first[summed.rows] // sizes.points
        ):
            raise Unfit("the sums are in another order than the samples")
    rest, query = np.divmod(first // sizes.points, sizes.queries)
    rest, channel = np.divmod(rest, sizes.channels)
    batch, head = np.divmod(rest, sizes.heads)
    numbers = ((batch * sizes.queries + query) * sizes.heads + head) * sizes.channels + channel
    carried: Array | None = numbers.reshape(views.shapes[total])
    found: str | None = None
    for step in views.forward(total):
        carried = views.move(step, carried)
        if carried is None or carried.size != rows:
            break
        if np.array_equal(carried.reshape(-1), np.arange(rows)):
            found = step.result
    if found is not None:
        return found
    own = np.arange(rows).reshape(sizes.batch, sizes.queries, sizes.heads, sizes.channels)
    if not np.array_equal(own.transpose(_SAMPLES_ORDER).reshape(-1), numbers):
        raise Unfit("the result is ordered neither as the operator's nor as the samples")
    return total


def _write(
    views: Views,
    match: Match,
    found: tuple[_Sum, _Sizes, list[list[Step]]],
    tensors: tuple[str, str, str],
    affine: Affine,
) -> None:
    """The nodes, given how the maps are cut, and the names of value, locations and weights."""
    summed, sizes, steps = found
    value_name, locations, weights = tensors
    dtype = views.index.element_type(value_name) or "float32"
    wide = views.index.element_type(locations) not in (None, dtype)
    inner = [sizes.levels, sizes.points]
    value = _shaped(
        views, match, value_name, [sizes.batch, sizes.positions], [sizes.heads, sizes.channels]
    )
    outer = [sizes.batch, sizes.queries]
    locations = _shaped(views, match, locations, outer, [sizes.heads, *inner, 2])
    weights = _shaped(views, match, weights, outer, [sizes.heads, *inner])
    if wide:
        code = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        locations = match.add("Cast", [locations], to=int(code))
    if affine.scale != 1.0:
        factor = match.constant("scale", np.array(affine.scale, dtype))
        locations = match.add("Mul", [locations, factor])
    if affine.offset != 0.0:
        offset = match.constant("offset", np.array(affine.offset, dtype))
        locations = match.add("Add", [locations, offset])
    shapes = level_sizes(views, match, sizes.maps, steps)
    attended = match.add(OPERATOR, [value, shapes, locations, weights], ops.DOMAIN)
    if match.value == summed.total.output[0]:
        attended = match.reshape(attended, [0, 0, sizes.heads, sizes.channels])
        attended = match.add("Transpose", [attended], perm=_SAMPLES_ORDER)
    if views.shapes[match.value] != (*outer, sizes.heads * sizes.channels):
        attended = _shaped_like(views, match, attended, sizes)
    match.finish(attended)


def _shaped(views: Views, match: Match, name: str, outer: list[int], inner: list[int]) -> str:
    """A tensor as [*outer, *inner], with whatever sizes the outer dimensions have at run time."""
    shape = views.shapes[name]
    if shape == (*outer, *inner):
        return name
    if shape[:2] == tuple(outer):
        return match.reshape(name, [0, 0, *inner])
    if not views.index.is_static():
        raise Unfit(f"sizes are dynamic, and {name} has no dimensions for {outer}")
    return match.reshape(name, [*outer, *inner])


def _shaped_like(views: Views, match: Match, attended: str, sizes: _Sizes) -> str:
    shape = views.shapes[match.value]
    if shape == (sizes.batch, sizes.queries, sizes.heads, sizes.channels):
        return match.reshape(attended, [0, 0, sizes.heads, sizes.channels])
    if not views.index.is_static():
        raise Unfit("sizes are dynamic, and the result has no dimensions for batch and queries")
    return match.reshape(attended, list(shape))
