"""Proof that the ONNX graphs answer as the PyTorch modules do, in every presence set.

Also that a head does not read what is absent: the core feeds zeros there, but a graph whose answer
depended on them would answer otherwise with any other filling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from plait_export import reference
from plait_export.describe import Embedding, Generation, Head, encoder_name, head_name, step_name
from plait_export.errors import ExportError
from plait_export.generation import say, worst_step_error
from plait_export.graphs import FloatArray, Form, Runner, head_feeds, relative_error
from plait_export.presence import PresenceSet, head_sets
from plait_export.progress import Progress
from plait_export.samples import Sample
from plait_export.trace import Traced

LIMIT = 1e-4
_MOST_SAMPLES = 64
_SMALL_BATCHES = (1, 2, 5)
_FILLING_LIMIT = 1e-6


@dataclass(frozen=True)
class ParityRow:
    """How far one graph is from its module: the worst over all samples and batch sizes.

    presence: what a head was given; for an encoder its own modality.
    """

    graph: str
    form: Form
    presence: PresenceSet
    max_relative_error: float
    batches: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check_parity(
    traced: Traced, samples: Sequence[Sample], sets: list[PresenceSet], progress: Progress
) -> list[ParityRow]:
    """Compares every graph with PyTorch on real samples. Raises ExportError above LIMIT."""
    deployment = traced.deployment
    chosen = samples[:_MOST_SAMPLES]
    batches = tuple(sorted({*_SMALL_BATCHES, len(chosen)}))
    rows: list[ParityRow] = []
    embeddings: dict[str, FloatArray] = {}
    work = len(deployment.modalities) + len(deployment.heads)
    for done, (name, modality) in enumerate(deployment.modalities.items()):
        progress("parity", done, work)
        prepared = reference.prepare_all(modality, [sample[name] for sample in chosen])
        for graph in traced.forms_of(encoder_name(name)):
            runner = Runner(graph.onnx)
            worst = 0.0
            for batch in batches:
                fed = np.resize(prepared, (batch, *prepared.shape[1:]))
                expected = traced.embed(name, fed)
                worst = max(worst, relative_error(runner({"sample": fed})[0], expected))
            rows.append(ParityRow(graph.name, graph.form, (name,), worst, batches))
        embeddings[name] = traced.embed(name, prepared)
    for done, head in enumerate(deployment.heads, start=len(deployment.modalities)):
        progress("parity", done, work)
        names = deployment.head_modalities(head)
        for graph in traced.forms_of(head_name(head)):
            runner = Runner(graph.onnx)
            for present in head_sets(deployment, head, sets):
                worst = 0.0
                for batch in batches:
                    fed_all = {
                        m: np.resize(e, (batch, *e.shape[1:])) for m, e in embeddings.items()
                    }
                    answer = runner(head_feeds(names, fed_all, present))[0]
                    expected = traced.answer(head, fed_all, present)
                    worst = max(worst, relative_error(answer, expected))
                rows.append(ParityRow(graph.name, graph.form, present, worst, batches))
                _check_length(deployment.heads[head], answer, f"head {head}, {graph.form}")
                _check_filling(runner, names, embeddings, present, f"head {head}, {graph.form}")
        rows += _step_rows(traced, head, embeddings, head_sets(deployment, head, sets))
    progress("parity", work, work)
    for row in rows:
        _check_row(row)
    return rows


def _step_rows(
    traced: Traced, name: str, embeddings: dict[str, FloatArray], sets: list[PresenceSet]
) -> list[ParityRow]:
    """A generation's step, along greedy texts of the first samples; none for another head."""
    head = traced.deployment.heads[name]
    if not isinstance(head, Generation):
        return []
    graph = traced.graphs[step_name(name)]
    runner, module = Runner(graph.onnx), traced.modules[step_name(name)]
    rows = []
    for present in sets:
        worst = 0.0
        for batch in _SMALL_BATCHES:
            fed = {m: np.resize(e, (batch, *e.shape[1:])) for m, e in embeddings.items()}
            feeds = head_feeds(traced.deployment.head_modalities(name), fed, present)
            memory = traced.answer(name, fed, present)
            said = say(module, head, memory, feeds["presence"], head.most_tokens)
            worst = max(worst, worst_step_error(runner, said))
        rows.append(ParityRow(graph.name, graph.form, present, worst, _SMALL_BATCHES))
    return rows


def _check_row(row: ParityRow) -> None:
    # Written so that a NaN fails too.
    if not row.max_relative_error <= LIMIT:
        raise ExportError(
            where=f"graph {row.graph}, {row.form}, with {', '.join(row.presence)}",
            expected=f"PyTorch's answer within a relative error of {LIMIT:g}",
            got=f"{row.max_relative_error:.3g}",
            action="Look for what the export fixes: random numbers, state kept between calls, "
            "sizes or values of the example batch.",
        )


def _check_length(head: Head, answer: FloatArray, where: str) -> None:
    if not isinstance(head, Embedding) or head.space is None or not head.space.normalized:
        return
    lengths = np.linalg.norm(answer.reshape(len(answer), -1).astype(np.float64), axis=1)
    if not np.abs(lengths - 1.0).max() <= LIMIT:
        raise ExportError(
            where=where,
            expected="embeddings of unit length, as its space says normalized=True",
            got=f"lengths from {lengths.min():.4g} to {lengths.max():.4g}",
            action="End the module with torch.nn.functional.normalize, or say normalized=False.",
        )


def _check_filling(
    runner: Runner,
    names: Sequence[str],
    embeddings: dict[str, FloatArray],
    present: PresenceSet,
    where: str,
) -> None:
    feeds = head_feeds(names, embeddings, present)
    with_zeros = runner(feeds)[0]
    generator = np.random.default_rng(0)
    for name in names:
        if name in present:
            continue
        scale = 10.0 * max(1.0, float(np.abs(embeddings[name]).max(initial=0.0)))
        noise = generator.normal(0.0, scale, embeddings[name].shape).astype(np.float32)
        difference = relative_error(runner({**feeds, name: noise})[0], with_zeros)
        if not difference <= _FILLING_LIMIT:
            raise ExportError(
                where=f"{where} with {', '.join(present)}",
                expected=f"an answer that does not depend on the absent {name}'s embedding",
                got=f"one that changes by {difference:.3g} with what lies in its place",
                action="In the head's forward, use presence: multiply by it, replace the embedding "
                "with torch.where, or mask it out of the attention.",
            )
