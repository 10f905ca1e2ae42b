"""A Generation's decoder as two graphs, and as the reference: what PyTorch says, greedily."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import plait
from plait_export.describe import Generation
from plait_export.describe.text import read_tokenizer
from plait_export.errors import ExportError
from plait_export.graphs import FloatArray, relative_error

Ids = NDArray[np.int64]
Feeds = dict[str, NDArray[Any]]


class MemoryOf(nn.Module):
    """The memory of a decoder as one tensor, [batch, parts, ...]."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder: Any = decoder

    def forward(self, *tensors: Tensor) -> Tensor:
        return torch.stack(list(self.decoder.memory(*tensors)), dim=1)


class StepOf(nn.Module):
    """One step of a decoder with all its tensors in a row."""

    def __init__(self, decoder: nn.Module, layers: int) -> None:
        super().__init__()
        self.decoder: Any = decoder
        self.layers = layers

    def forward(
        self, token: Tensor, position: Tensor, presence: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        parts, cache = rest[: -2 * self.layers], rest[-2 * self.layers :]
        pairs = list(zip(cache[::2], cache[1::2], strict=True))
        logits, entries = self.decoder.step(token, position, presence, list(parts), pairs)
        return (logits, *(tensor for entry in entries for tensor in entry))


def step_outputs(head: Generation) -> list[str]:
    """Names of what a step graph gives, in order."""
    entries = [f"new_{kind}_{i}" for i in range(head.layers) for kind in ("key", "value")]
    return ["logits", *entries]


def step_feeds(head: Generation, memory: FloatArray, presence: FloatArray) -> Feeds:
    """What the first step of a batch of texts is fed: the first start token, an empty cache."""
    batch = len(memory)
    shape = (batch, head.heads, head.max_length, head.head_size)
    parts = [np.ascontiguousarray(memory[:, i]) for i in range(memory.shape[1])]
    feeds: Feeds = {
        "token": np.full((batch, 1), head.start[0], np.int64),
        "position": np.zeros((batch, 1), np.int64),
        "presence": presence,
        **{f"memory_{i}": part for i, part in enumerate(parts)},
    }
    for i in range(head.layers):
        feeds[f"key_{i}"] = np.zeros(shape, np.float32)
        feeds[f"value_{i}"] = np.zeros(shape, np.float32)
    return feeds


@dataclass(frozen=True)
class Said:
    """One step of greedy texts: what the step was fed, and what it answered, in order."""

    feeds: Feeds
    outputs: list[FloatArray]


def say(
    module: nn.Module, head: Generation, memory: FloatArray, presence: FloatArray, most: int
) -> Iterator[Said]:
    """Greedy texts of a batch side by side, step by step; texts that have ended go on with pad.

    module: a StepOf. memory: [batch, parts, ...]. most: tokens of a text. What is yielded is
    overwritten by the next step.
    """
    batch = len(memory)
    feeds = step_feeds(head, memory, presence)
    cache = list(feeds.values())[-2 * head.layers :]
    ended = np.zeros(batch, bool)
    for position in range(len(head.start) + most - 1):
        feeds["position"][:] = position
        with torch.inference_mode():
            answered = module(*(torch.from_numpy(array) for array in feeds.values()))
        outputs = [cast(FloatArray, tensor.numpy()) for tensor in answered]
        yield Said(feeds, outputs)
        for held, new in zip(cache, outputs[1:], strict=True):
            held[:, :, position] = new
        if position + 1 < len(head.start):
            feeds["token"][:] = head.start[position + 1]
            continue
        token = outputs[0].argmax(axis=1)
        ended |= np.isin(token, list(head.end))
        feeds["token"][:, 0] = np.where(ended, head.pad, token)


def greedy(module: nn.Module, head: Generation, memory: FloatArray, presence: FloatArray) -> Ids:
    """Token ids [batch, most_tokens], without what ends them, filled up with pad."""
    rows: list[Ids] = []
    ended = np.zeros(len(memory), bool)
    for said in say(module, head, memory, presence, head.most_tokens):
        if len(rows) == 0 and int(said.feeds["position"][0, 0]) + 1 < len(head.start):
            continue
        token = said.outputs[0].argmax(axis=1)
        ended |= np.isin(token, list(head.end))
        rows.append(np.where(ended, head.pad, token))
    return np.stack(rows, axis=1).astype(np.int64)


def greedy_texts(head: Generation, memory: FloatArray, presence: FloatArray) -> list[str]:
    """What a decoder says greedily, as the core would write it."""
    step = StepOf(copy.deepcopy(head.module), head.layers).to("cpu", torch.float32).eval()
    silent = {head.pad, *head.start}
    rows = greedy(step, head, memory, presence)
    if head.tokenizer is not None:
        tokenizer = plait.Tokenizer(read_tokenizer(head.tokenizer))
        return [tokenizer.decode(t for t in row if t != head.pad) for row in rows.tolist()]
    labels = list(head.labels or ())
    return [" ".join(labels[t] for t in row if t not in silent) for row in rows.tolist()]


def check_step(module: nn.Module, head: Generation, feeds: Feeds, where: str) -> None:
    """Runs a step once as PyTorch; shapes and types are the description's, or ExportError."""
    batch = len(feeds["token"])
    entry = (batch, head.heads, head.head_size)
    try:
        with torch.inference_mode():
            answered = module(*(torch.from_numpy(array) for array in feeds.values()))
    except Exception as error:
        raise ExportError(
            where=where,
            expected="a step that takes "
            + ", ".join(f"{name} {list(array.shape)}" for name, array in feeds.items()),
            got=f"{type(error).__name__}: {str(error)[:400]}",
            action="Compare layers, heads, head_size and max_length with the decoder's.",
        ) from error
    expected = [(batch, head.tokens), *[entry] * (2 * head.layers)]
    got = [tuple(tensor.shape) for tensor in answered]
    if got != expected or any(tensor.dtype != torch.float32 for tensor in answered):
        raise ExportError(
            where=where,
            expected=f"float32 of shapes {', '.join(str(list(shape)) for shape in expected)}",
            got=", ".join(str(list(shape)) for shape in got),
            action="A step returns logits, then a new key and value of each layer.",
        )


def worst_step_error(runner: Any, said: Iterator[Said]) -> float:
    """How far a step graph is from its module, over all steps and outputs."""
    worst = 0.0
    for step in said:
        for answer, expected in zip(runner(step.feeds), step.outputs, strict=True):
            worst = max(worst, relative_error(answer, expected))
    return worst
