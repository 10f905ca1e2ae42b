"""From PyTorch modules to ONNX graphs, and the proof that both answer the same.

Every graph has a dynamic batch and the canonical names of docs/bundle.md, so that the core binds
its inputs and outputs without guessing.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from plait_export import ops, reference
from plait_export.describe import (
    Classification,
    Deployment,
    Generation,
    Modality,
    Regression,
    Text,
    encoder_name,
    head_name,
    step_name,
)
from plait_export.describe.text import read_tokenizer
from plait_export.errors import ExportError
from plait_export.generation import (
    Feeds,
    Ids,
    MemoryOf,
    StepOf,
    check_step,
    greedy,
    step_feeds,
    step_outputs,
)
from plait_export.graphs import (
    FORMS,
    FloatArray,
    Form,
    Graph,
    Role,
    head_feeds,
)
from plait_export.progress import Progress
from plait_export.rewrite import may_hold_operators, rewrite
from plait_export.samples import Sample
from plait_export.texts import bank_of, head_tokenizer_member, members_of
from plait_export.trace_graph import export_graph, first_lines

# Not 1, which torch would take for a constant, and unlikely to be another dimension's size.
_EXAMPLE_BATCH = 3


class _Named(nn.Module):
    """A user's module behind one signature, so that its outputs can be checked in one place."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *tensors: Tensor) -> Tensor:
        return cast(Tensor, self.module(*tensors))


class _Masked(nn.Module):
    """An encoder of ids and mask behind the bundle's one input, [batch, 2, tokens]."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, sample: Tensor) -> Tensor:
        return cast(Tensor, self.encoder(sample[:, 0], sample[:, 1]))


@dataclass(frozen=True)
class Traced:
    """A deployment's graphs, and its modules, ready to answer as the reference.

    graphs: encoders in the order of modalities, then heads, by graph name, in portable form.
    fused: the same graph with Plait's operators, of those whose modules use them.
    members: files that modalities need beside their graphs: tokenizers and banks.
    """

    deployment: Deployment
    graphs: dict[str, Graph]
    modules: dict[str, nn.Module]
    members: dict[str, bytes]
    fused: dict[str, Graph] = field(default_factory=dict)

    @property
    def forms(self) -> tuple[Form, ...]:
        """Portable, and fused where that is another."""
        return FORMS if self.fused else FORMS[:1]

    def graphs_of(self, form: Form) -> dict[str, Graph]:
        return {**self.graphs, **self.fused} if form == "fused" else self.graphs

    def forms_of(self, graph: str) -> tuple[Graph, ...]:
        """The graph, and its fused form where it has one."""
        fused = self.fused.get(graph)
        return (self.graphs[graph],) if fused is None else (self.graphs[graph], fused)

    def encoder(self, modality: str) -> Graph:
        return self.graphs[encoder_name(modality)]

    def head(self, head: str) -> Graph:
        return self.graphs[head_name(head)]

    def embed(self, modality: str, prepared: FloatArray) -> FloatArray:
        """PyTorch's embeddings [samples, ...] of prepared input [samples, ...]."""
        return run_module(self.modules[encoder_name(modality)], [prepared])

    def answer(
        self, head: str, embeddings: dict[str, FloatArray], present: Sequence[str]
    ) -> FloatArray:
        """PyTorch's output [samples, ...] of a head with just these modalities present."""
        names = self.deployment.head_modalities(head)
        feeds = head_feeds(names, embeddings, present)
        return run_module(self.modules[head_name(head)], list(feeds.values()))

    def say(self, head: str, embeddings: dict[str, FloatArray], present: Sequence[str]) -> Ids:
        """PyTorch's greedy tokens [samples, most_tokens] of a generation."""
        names = self.deployment.head_modalities(head)
        presence = head_feeds(names, embeddings, present)["presence"]
        memory = self.answer(head, embeddings, present)
        described = cast(Generation, self.deployment.heads[head])
        return greedy(self.modules[step_name(head)], described, memory, presence)


def trace(deployment: Deployment, samples: Sequence[Sample], progress: Progress) -> Traced:
    """Exports every encoder and head with real samples as example input. Raises ExportError."""
    graphs: dict[str, Graph] = {}
    fused: dict[str, Graph] = {}
    modules: dict[str, nn.Module] = {}
    members: dict[str, bytes] = {}
    embeddings: dict[str, FloatArray] = {}
    total = len(deployment.modalities) + len(deployment.heads)
    examples = [samples[i % len(samples)] for i in range(_EXAMPLE_BATCH)]
    for name, modality in deployment.modalities.items():
        progress("trace", len(graphs), total)
        where = f"deployment {deployment.name!r}, modality {name}, encoder"
        prepared = reference.prepare_all(modality, [sample[name] for sample in examples])
        module = _frozen(encoder_of(modality), where)
        graph = encoder_name(name)
        forms = _export_forms(
            module,
            {"sample": prepared},
            name=graph,
            role="encoder",
            output="embedding",
            where=where,
        )
        graphs[graph], modules[graph] = forms[0], module
        fused |= {form.name: form for form in forms[1:]}
        embeddings[name] = run_module(module, [prepared])
        if isinstance(modality, Text):
            bank = None
            if modality.bank is not None:
                bank = bank_of(modality, partial(_embed, module))
            members |= members_of(name, modality, bank)
    for name, head in deployment.heads.items():
        progress("trace", len(graphs), total)
        where = f"deployment {deployment.name!r}, head {name}"
        names = deployment.head_modalities(name)
        decoder = isinstance(head, Generation)
        module = _frozen(MemoryOf(head.module) if decoder else head.module, where)
        feeds = head_feeds(names, embeddings, names)
        if isinstance(head, (Classification, Regression)):
            _check_width(module, feeds, len(head.labels), where)
        graph = head_name(name)
        forms = _export_forms(
            module, feeds, name=graph, role="head", output=head.output, where=where
        )
        graphs[graph], modules[graph] = forms[0], module
        fused |= {form.name: form for form in forms[1:]}
        if isinstance(head, Generation):
            step = _frozen(StepOf(head.module, head.layers), where)
            memory = run_module(module, list(feeds.values()))
            fed = step_feeds(head, memory, feeds["presence"])
            graph = step_name(name)
            graphs[graph] = _trace_step(step, head, fed, name=graph, where=where)
            modules[graph] = step
            if head.tokenizer is not None:
                members[head_tokenizer_member(name)] = read_tokenizer(head.tokenizer)
    progress("trace", total, total)
    return Traced(deployment, graphs, modules, members, fused)


def _trace_step(
    module: nn.Module, head: Generation, feeds: Feeds, *, name: str, where: str
) -> Graph:
    check_step(module, head, feeds, f"{where}, step")
    outputs = step_outputs(head)
    with ops.portable():
        return export_graph(module, feeds, name=name, role="step", outputs=outputs, where=where)


def run_module(module: nn.Module, inputs: Sequence[FloatArray]) -> FloatArray:
    """A module's answer to NumPy arrays, as a contiguous float32 array."""
    with torch.inference_mode():
        output = module(*(torch.from_numpy(np.ascontiguousarray(array)) for array in inputs))
    return np.ascontiguousarray(output.numpy(), dtype=np.float32)


def _embed(module: nn.Module, prepared: FloatArray) -> FloatArray:
    return run_module(module, [prepared])


def encoder_of(modality: Modality) -> nn.Module:
    """What is traced of a modality: from one prepared input to its embedding."""
    if isinstance(modality, Text) and modality.mask:
        return _Masked(modality.encoder)
    return modality.encoder


def _frozen(module: nn.Module, where: str) -> nn.Module:
    """A copy on the CPU, in float32 and evaluation mode: the user's own stays as it is."""
    try:
        return _Named(copy.deepcopy(module)).to("cpu", torch.float32).eval()
    except Exception as error:
        raise ExportError(
            where=where,
            expected="a module that can be copied",
            got=f"{type(error).__name__}: {error}",
            action="Pass a plain trained module: no hooks, no tensors that still carry gradients.",
        ) from error


def _export_forms(
    module: nn.Module,
    feeds: dict[str, FloatArray],
    *,
    name: str,
    role: Role,
    output: str,
    where: str,
) -> tuple[Graph, ...]:
    """The portable graph, and the fused one where the module uses Plait's operators, or where it
    spells out what one of them computes."""
    _check_output(module, feeds, where)

    def export() -> Graph:
        return export_graph(module, feeds, name=name, role=role, outputs=[output], where=where)

    graph = export()
    if graph.form == "fused":
        with ops.portable():
            return (export(), graph)
    fused = _fused(graph, feeds)
    return (graph,) if fused is None else (graph, fused)


def _fused(graph: Graph, feeds: dict[str, FloatArray]) -> Graph | None:
    """The graph with fused nodes in place of chains that compute the same; None where there are
    none, or where the answers would not stay the same in every batch size."""
    model = onnx.load_model_from_string(graph.onnx)
    if not may_hold_operators(model):
        return None
    batches = [
        {name: np.resize(array, (size, *array.shape[1:])) for name, array in feeds.items()}
        for size in (_EXAMPLE_BATCH, 1, _EXAMPLE_BATCH + 2)
    ]
    rewritten = rewrite(model, batches)
    if not rewritten.replaced:
        return None
    serialized = rewritten.model.SerializeToString(deterministic=True)
    return replace(graph, onnx=serialized, form="fused")


def _check_output(module: nn.Module, feeds: dict[str, FloatArray], where: str) -> Tensor:
    """Runs the module once as PyTorch, so that its own mistakes are not blamed on the export."""
    shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in feeds.items())
    try:
        with torch.inference_mode():
            output: Any = module(*(torch.from_numpy(array) for array in feeds.values()))
    except Exception as error:
        raise ExportError(
            where=where,
            expected=f"a module whose forward takes {shapes}",
            got=first_lines(error),
            action="Compare channels, window and layout, or the order of a head's modalities, "
            "with what the module was trained with.",
        ) from error
    batch = len(next(iter(feeds.values())))
    if not isinstance(output, Tensor) or output.dtype != torch.float32:
        got = str(output.dtype) if isinstance(output, Tensor) else type(output).__name__
        expected = "one float32 tensor from forward"
    elif output.dim() < 2 or output.shape[0] != batch:
        got, expected = f"shape {list(output.shape)}", f"an output of shape [{batch}, ...]"
    elif not bool(torch.isfinite(output).all()):
        got, expected = "NaN or infinite values", "finite output on real samples"
    else:
        return output
    raise ExportError(
        where=where,
        expected=expected,
        got=got,
        action="An encoder returns [batch, ...], a head [batch, values].",
    )


def _check_width(module: nn.Module, feeds: dict[str, FloatArray], labels: int, where: str) -> None:
    output = _check_output(module, feeds, where)
    if tuple(output.shape[1:]) != (labels,):
        raise ExportError(
            where=where,
            expected=f"an output of shape [batch, {labels}], one for each label",
            got=f"shape {['batch', *output.shape[1:]]}",
            action="Give as many labels as the module has outputs.",
        )
