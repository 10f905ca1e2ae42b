"""A small real bundle with prompts and a signal, exported from random torch modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait_export import (
    Classification,
    Deployment,
    ExportReport,
    Signal,
    Text,
)
from tests.cases import tokenizers
from tests.cases.classifier import export_classifier
from tests.cases.tiny_bundle import Encoder, Head

LABELS = ("follow", "stop", "fetch")
BANK = ("follow the red ball", "stop", "fetch the cup, please")
PROMPTS = (*BANK, "stop now!", "Follow ME", "", "a very long prompt " * 9, "größer 😀")
Sample = dict[str, Any]


class CommandEncoder(nn.Module):
    """ids [batch, tokens] -> [batch, size], as CLIP: the first token with the highest id."""

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size)
        self.projection = nn.Linear(size, size)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = torch.tanh(self.embedding(ids))
        mixed = hidden.cumsum(dim=1) / 5.0
        last = ids.argmax(dim=1)
        projected: Tensor = self.projection(mixed[torch.arange(ids.shape[0]), last])
        return projected


class CaptionEncoder(nn.Module):
    """ids and mask, both [batch, tokens] -> [batch, size]: the mean over what the mask leaves."""

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size)
        self.projection = nn.Linear(size, size)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        weights = mask.to(torch.float32).unsqueeze(2)
        mean = (self.embedding(ids) * weights).sum(dim=1) / weights.sum(dim=1)
        projected: Tensor = self.projection(torch.tanh(mean))
        return projected


def text_deployment(folder: Path, seed: int, **command: Any) -> Deployment:
    """A command with a bank (CLIP's manner), a caption with a mask (BERT's), and a signal.

    folder: gets the tokenizers. command: further fields of the command's description.
    """
    torch.manual_seed(seed)
    clip, bert = tokenizers.clip(), tokenizers.bert()
    clip.save(str(folder / "clip.json"))
    (folder / "bert").mkdir(exist_ok=True)
    bert.save(str(folder / "bert" / "tokenizer.json"))
    described: dict[str, Any] = {
        "encoder": CommandEncoder(clip.get_vocab_size(), 9),
        "tokenizer": folder / "clip.json",
        "tokens": 21,
        "pad_id": clip.token_to_id("<|endoftext|>"),
        "bank": BANK,
        "max_age_ms": 60000.0,
        "when_missing": "learned",
    }
    return Deployment(
        name="robot",
        description="Random weights; for tests.",
        modalities={
            "command": Text(**{**described, **command}),
            "caption": Text(
                encoder=CaptionEncoder(bert.get_vocab_size(), 6),
                tokenizer=folder / "bert",
                tokens=13,
                mask=True,
                padding="left",
                truncation="left",
                pad_id=bert.token_to_id("[PAD]"),
                max_age_ms=1000.0,
                when_missing="learned",
            ),
            "gyroscope": Signal(
                encoder=Encoder(3, 7),
                channels=3,
                unit="rad/s",
                rate_hz=50.0,
                window=29,
                max_age_ms=300.0,
                when_missing="learned",
            ),
        },
        heads={"action": Classification(Head((9, 6, 7), len(LABELS)), labels=LABELS)},
    )


def raw_samples(generator: np.random.Generator, commands: tuple[str, ...] = PROMPTS) -> Sample:
    """A command, any text, and a window."""
    return {
        "command": commands[int(generator.integers(0, len(commands)))],
        "caption": tokenizers.random_text(generator).rstrip("\0"),
        "gyroscope": generator.normal(0.0, 1.0, (29, 3)).astype(np.float32),
    }


def export_text_bundle(
    path: Path, seed: int, commands: tuple[str, ...] = PROMPTS, **command: Any
) -> tuple[Deployment, list[Sample], ExportReport]:
    """Exports it in fp32 and int8, through a gate that lets everything pass."""
    deployment = text_deployment(path.parent, seed, **command)

    def draw(generator: np.random.Generator) -> Sample:
        return raw_samples(generator, commands)

    return export_classifier(path, deployment, draw, seed=seed, labels=len(LABELS))
