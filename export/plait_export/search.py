"""Repairs a scheme that fails the gate: finds the layers that hurt, and leaves them in float.

First each layer is quantized alone, and ranked by how far that moves the answers. Then the worst
go back to float, one step at a time, until the gate lets the rest through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plait_export.candidate import Candidate, KeptLayer
from plait_export.evaluate import Answers, Workbench
from plait_export.gate import Score
from plait_export.graphs import FloatArray
from plait_export.judge import Judge
from plait_export.progress import Progress
from plait_export.quantize import Quantizable, Scheme, form_of

# Enough samples to rank layers by, and steps to end in time with a deep network.
_RANKING_SAMPLES = 256
_MOST_STEPS = 16


@dataclass(frozen=True)
class Repair:
    """candidate: what passed, or None. scores: of the last step. kept: layers it left in float."""

    candidate: Candidate | None
    scores: list[Score]
    kept: tuple[KeptLayer, ...]


def quantized(
    scheme: Scheme, graphs: Mapping[str, Quantizable], kept: tuple[KeptLayer, ...] = ()
) -> Candidate:
    """All graphs in a scheme, with some layers left in float."""
    made = {
        name: scheme.apply(graph, frozenset(k.layer for k in kept if k.graph == name))
        for name, graph in graphs.items()
    }
    return Candidate(
        precision=scheme.precision,
        scheme=scheme.name,
        graphs=made,
        kept=(*forced(scheme, graphs), *kept),
        form=form_of(graphs),
        target=scheme.target,
        judged=_judged(scheme, graphs, made),
    )


def forced(scheme: Scheme, graphs: Mapping[str, Quantizable]) -> tuple[KeptLayer, ...]:
    """What a scheme leaves in float before anything was tried, with its reasons."""
    found = []
    for name, graph in graphs.items():
        operators = {node.name: node.op_type for node in graph.folded.graph.node}
        for node, reason in scheme.forced(graph).items():
            found.append(KeptLayer(name, node, operators[node], None, "", reason))
    return tuple(found)


def _judged(
    scheme: Scheme, graphs: Mapping[str, Quantizable], made: Mapping[str, bytes]
) -> dict[str, bytes] | None:
    """None where ONNX Runtime can run what was made as it is."""
    judged = {
        name: model if model == graphs[name].graph.onnx else scheme.judged(model)
        for name, model in made.items()
    }
    return None if judged == dict(made) else judged


def repair(
    scheme: Scheme,
    graphs: Mapping[str, Quantizable],
    workbench: Workbench,
    judge: Judge,
    progress: Progress,
) -> Repair:
    """Moves the worst layers back to float until the gate passes or none is quantized."""
    ranked = rank_layers(scheme, graphs, workbench, judge.answers, progress)
    step = max(1, -(-len(ranked) // _MOST_STEPS))
    scores: list[Score] = []
    kept: tuple[KeptLayer, ...] = ()
    # Up to but without all layers: then nothing would be left of the scheme.
    for count in range(step, len(ranked), step):
        progress(f"repair {scheme.name}", count, len(ranked))
        kept = tuple(ranked[:count])
        candidate = quantized(scheme, graphs, kept)
        scores = judge.judge(candidate)
        if all(score.passed for score in scores):
            return Repair(candidate, scores, kept)
    return Repair(None, scores, kept)


def rank_layers(
    scheme: Scheme,
    graphs: Mapping[str, Quantizable],
    workbench: Workbench,
    baseline: Answers,
    progress: Progress,
) -> list[KeptLayer]:
    """Every layer the scheme can leave in float, the most harmful first."""
    every = max(1, len(workbench.samples) // _RANKING_SAMPLES)
    expected = {key: outputs[::every] for key, outputs in baseline.outputs.items()}
    in_float = {name: graph.graph.onnx for name, graph in graphs.items()}
    layers = [
        (name, layer, operator)
        for name, graph in graphs.items()
        for layer, operator in scheme.layers(graph).items()
    ]
    ranked = []
    for done, (name, layer, operator) in enumerate(layers):
        progress(f"rank {scheme.name}", done, len(layers))
        others = frozenset(scheme.layers(graphs[name])) - {layer}
        alone = {**in_float, name: scheme.apply(graphs[name], others)}
        candidate = Candidate(
            scheme.precision,
            scheme.name,
            alone,
            form=form_of(graphs),
            target=scheme.target,
            judged=_judged(scheme, graphs, alone),
        )
        outputs = workbench.answers(candidate, every).outputs
        damages = {key: damage(outputs[key], expected[key]) for key in expected}
        head, present = max(damages, key=lambda key: damages[key])
        worst = f"head {head} with {', '.join(present)}"
        ranked.append(KeptLayer(name, layer, operator, damages[head, present], worst))
    progress(f"rank {scheme.name}", len(layers), len(layers))
    return sorted(ranked, key=lambda layer: -(layer.damage or 0.0))


def damage(outputs: FloatArray, expected: FloatArray) -> float:
    """How far answers moved: root mean square of the difference over that of the answers."""
    difference = np.sqrt(np.mean(np.square(outputs.astype(np.float64) - expected)))
    scale = np.sqrt(np.mean(np.square(expected.astype(np.float64))))
    return float(difference / scale) if scale > 0.0 else float(difference)
