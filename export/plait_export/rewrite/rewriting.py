"""The driver: finds, replaces, checks on real inputs, and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import inliner

from plait import ConfigError
from plait_export.graphs import relative_error
from plait_export.rewrite.deformable import find_deformable
from plait_export.rewrite.graph import (
    Array,
    GraphIndex,
    import_operators,
    inline_branches,
    narrow_grids,
    prune,
)
from plait_export.rewrite.match import Match, NearMiss
from plait_export.rewrite.observe import Observation, observe, run_with
from plait_export.rewrite.scatter import find_scatters
from plait_export.rewrite.sizes import fold_sizes
from plait_export.rewrite.views import Views

TOLERANCE = 1e-4
_TELLTALES = ("GridSample", "ScatterElements", "ScatterND")

Inputs = Mapping[str, Array]


@dataclass(frozen=True)
class Replaced:
    """node: where the replaced nodes began. value: what the fused node now computes. error: the
    largest relative one of that value on the inputs given."""

    operator: str
    node: str
    value: str
    detail: str
    error: float

    def to_json(self) -> dict[str, Any]:
        return {
            "operator": self.operator,
            "node": self.node,
            "value": self.value,
            "detail": self.detail,
            "error": self.error,
        }


@dataclass(frozen=True)
class Rewritten:
    """model: the rewritten graph; an equal copy of what was given where nothing was replaced.
    errors: the largest relative error of each output. repaired: nodes without which no runtime
    would have run the graph, see narrow_grids. nodes: how many there were, and are."""

    model: onnx.ModelProto
    replaced: tuple[Replaced, ...]
    near: tuple[NearMiss, ...]
    errors: Mapping[str, float]
    repaired: tuple[str, ...]
    nodes: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        return {
            "replaced": [item.to_json() for item in self.replaced],
            "near": [item.to_json() for item in self.near],
            "errors": dict(self.errors),
            "repaired": list(self.repaired),
            "nodes": {"before": self.nodes[0], "after": self.nodes[1]},
        }


def may_hold_operators(model: onnx.ModelProto) -> bool:
    """Whether there is anything in the graph that a chain of ours is written with."""
    return any(node.op_type in _TELLTALES for node in model.graph.node)


def rewrite(
    model: onnx.ModelProto | bytes | str | Path,
    inputs: Inputs | Sequence[Inputs],
    *,
    tolerance: float = TOLERANCE,
) -> Rewritten:
    """Replaces what it finds, as far as the answers stay the same.

    inputs: real ones, by name; where sizes are dynamic, several of different sizes. A replacement
    is kept where its value and all outputs stay within `tolerance` (max|a - b| / max|b|) of the
    given graph's, on every one of them; whole numbers have to be equal. The model given is left as
    it is. Raises ConfigError for inputs that are not the graph's.
    """
    given = _inlined(_loaded(model))
    cases = [dict(inputs)] if isinstance(inputs, Mapping) else [dict(case) for case in inputs]
    _check_inputs(given, cases)
    before = len(given.graph.node)
    inline_branches(given)
    repaired = narrow_grids(given)
    folded = fold_sizes(given, cases[0])
    index = GraphIndex(folded)
    observation = observe(index, cases[0])
    matches, near = _find(index, observation)
    kept, refused, errors = _keep(folded, matches, cases, tolerance)
    result = _apply(folded, [match for match, _ in kept]) if kept else given
    return Rewritten(
        result,
        tuple(
            Replaced(match.operator, match.node, match.value, match.detail, error)
            for match, error in kept
        ),
        (*near, *refused),
        errors,
        tuple(repaired),
        (before, len(result.graph.node)),
    )


def _loaded(model: onnx.ModelProto | bytes | str | Path) -> onnx.ModelProto:
    if isinstance(model, bytes):
        return onnx.load_model_from_string(model)
    if isinstance(model, onnx.ModelProto):
        return model
    return onnx.load(str(model))


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    if model.functions:
        return inliner.inline_local_functions(model)
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _check_inputs(model: onnx.ModelProto, cases: list[dict[str, Array]]) -> None:
    constant = {tensor.name for tensor in model.graph.initializer}
    wanted = sorted(v.name for v in model.graph.input if v.name not in constant)
    for case in cases:
        if sorted(case) != wanted:
            raise ConfigError(
                where="rewrite, inputs",
                expected=f"one array each for {', '.join(wanted)}",
                got=", ".join(sorted(case)) or "none",
                action="Give real inputs under the names that the graph has for them.",
            )
    if not cases:
        raise ConfigError(
            where="rewrite, inputs",
            expected="at least one set of inputs",
            got="none",
            action="Replacements are accepted on real inputs only: give some.",
        )


def _find(index: GraphIndex, observation: Observation) -> tuple[list[Match], list[NearMiss]]:
    views = Views(index, observation.shapes, observation.values)
    found = [*find_deformable(views), *find_scatters(views)]
    order = {name: n for n, node in enumerate(index.model.graph.node) for name in node.output}
    matches = sorted(
        (item for item in found if isinstance(item, Match)), key=lambda match: order[match.value]
    )
    return matches, [item for item in found if isinstance(item, NearMiss)]


def _apply(model: onnx.ModelProto, matches: list[Match]) -> onnx.ModelProto:
    """A copy in which the matches' nodes stand where the values they compute were made."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if not matches:
        return result
    by_value = {match.value: match for match in matches}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        replacing = [by_value[name] for name in node.output if name in by_value]
        if not replacing:
            nodes.append(node)
        for match in replacing:
            nodes.extend(match.nodes)
            result.graph.initializer.extend(match.initializers)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    import_operators(result)
    prune(result)
    return result


def _keep(
    model: onnx.ModelProto, matches: list[Match], cases: list[dict[str, Array]], tolerance: float
) -> tuple[list[tuple[Match, float]], list[NearMiss], dict[str, float]]:
    """The matches that all cases agree with, with their errors; the others, with the reason."""
    values = [match.value for match in matches]
    references = [run_with(model, case, values) for case in cases]
    remaining, refused = list(matches), []
    while True:
        values = [match.value for match in remaining]
        fused = _apply(model, remaining)
        try:
            answers = [run_with(fused, case, values) for case in cases]
        except Exception as error:  # ONNX Runtime's errors have no common base
            if not remaining:
                raise
            match = remaining.pop()
            reason = f"the rewritten graph does not run on the inputs given: {error}"
            refused.append(NearMiss(match.operator, match.node, reason))
            continue
        names = [*values, *(value.name for value in model.graph.output)]
        errors = {
            name: max(
                _error(answer[name], reference[name])
                for answer, reference in zip(answers, references, strict=True)
            )
            for name in names
        }
        # The first in the graph's order that is wrong makes all after it wrong.
        wrong = next((name for name in names if errors[name] > tolerance), None)
        if wrong is None or not remaining:
            break
        place = values.index(wrong) if wrong in values else len(values) - 1
        match = remaining.pop(place)
        reason = f"relative error {errors[wrong]:.1e} of {wrong} on the inputs given"
        refused.append(NearMiss(match.operator, match.node, reason))
    outputs = {value.name: errors[value.name] for value in model.graph.output}
    return [(match, errors[match.value]) for match in remaining], refused, outputs


def _error(actual: Array, reference: Array) -> float:
    if reference.dtype.kind != "f":
        return 0.0 if np.array_equal(actual, reference) else float("inf")
    return relative_error(actual, reference)
