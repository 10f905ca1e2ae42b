"""The watch's network: an encoder a modality, and a head that attends to what is there."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait_export.zoo.watch_data import EXERCISES

EMBEDDING = 64


class SignalEncoder(nn.Module):
    """A small 1-D CNN: normalised signal [batch, channels, time] -> embedding [batch, EMBEDDING].

    Mean and maximum over time are kept, so that the answer hardly depends on where in a repetition
    the window begins. Batch norms fold into the convolutions when the encoder is exported.
    """

    def __init__(self, channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        widths = (channels, EMBEDDING // 2, EMBEDDING, EMBEDDING)
        self.convolutions = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv1d(narrow, wide, kernel_size=5, stride=2, padding=2, bias=False),
                    nn.BatchNorm1d(wide),
                    nn.ReLU(),
                )
                for narrow, wide in itertools.pairwise(widths)
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(2 * EMBEDDING, EMBEDDING)

    def forward(self, sample: Tensor) -> Tensor:
        features = self.convolutions(sample)
        pooled = torch.cat([features.mean(dim=-1), features.amax(dim=-1)], dim=-1)
        return functional.relu(self.projection(self.dropout(pooled)))


class AttentionFusion(nn.Module):
    """Attention over one token a modality; a learned token stands where a modality is absent.

    forward(embedding [batch, EMBEDDING] of each modality in turn, presence [batch, modalities] of
    float32 0 or 1) -> logits [batch, classes]. What is given for an absent modality is never used.
    """

    def __init__(self, modalities: int, classes: int, heads: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        self.heads = heads
        self.missing = nn.Parameter(0.02 * torch.randn(modalities, EMBEDDING))
        self.identity = nn.Parameter(0.02 * torch.randn(modalities, EMBEDDING))
        self.weight = nn.Linear(EMBEDDING, heads)
        self.value = nn.Linear(EMBEDDING, EMBEDDING)
        self.mix = nn.Linear(EMBEDDING, EMBEDDING)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(EMBEDDING, classes)

    def forward(self, accelerometer: Tensor, gyroscope: Tensor, presence: Tensor) -> Tensor:
        embeddings = torch.stack([accelerometer, gyroscope], dim=1)
        # A choice, not a product: zero times infinity is not zero.
        tokens = torch.where(presence.unsqueeze(-1) > 0.5, embeddings, self.missing)
        tokens = tokens + self.identity
        weights = self.weight(tokens).softmax(dim=1)  # [batch, modalities, heads]
        values = self.value(tokens).unflatten(-1, (self.heads, -1))
        fused = (weights.unsqueeze(-1) * values).sum(dim=1).flatten(start_dim=1)
        hidden = functional.relu(self.mix(functional.relu(fused)))
        logits: Tensor = self.classify(self.dropout(hidden))
        return logits


class WatchNet(nn.Module):
    """Both encoders and the head, as they are trained together; they are exported one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.accelerometer = SignalEncoder()
        self.gyroscope = SignalEncoder()
        self.fusion = AttentionFusion(modalities=2, classes=len(EXERCISES))

    def forward(self, accelerometer: Tensor, gyroscope: Tensor, presence: Tensor) -> Tensor:
        """Normalised windows [batch, 3, time] and presence [batch, 2] -> logits [batch, 7]."""
        embeddings = self.accelerometer(accelerometer), self.gyroscope(gyroscope)
        logits: Tensor = self.fusion(*embeddings, presence)
        return logits
