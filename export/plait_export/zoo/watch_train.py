"""How the watch's network is trained: random crops, varied, in every presence set at once."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from plait import ConfigError
from plait_export.progress import Progress
from plait_export.zoo.watch_data import EXERCISES, WINDOW, Recording, Split
from plait_export.zoo.watch_net import EMBEDDING, WatchNet

EPOCHS = 100
STEPS_PER_EPOCH = 10
BATCH = 128
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.05
AVERAGED_OVER_STEPS = 100
THREADS = 1
"""Batches are small: more threads mostly wait for one another, and would change the weights."""

PRESENCE_SETS = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0))

TEMPO = 0.2
"""Spread of the pace: crops are played up to 22 % slower or faster."""
TILT_DEGREES = 5.0
"""Spread of how a watch sits on a wrist, about each axis; both sensors turn together."""
GAIN = 0.1
NOISE = 0.05


@dataclass(frozen=True)
class Normalisation:
    """Per channel, in g and in rad/s. Plait's core applies it on the device."""

    mean: tuple[float, ...]  # [6], accelerometer then gyroscope
    std: tuple[float, ...]  # [6]


def normalisation(recordings: Sequence[Recording]) -> Normalisation:
    """Mean and standard deviation of every row of `recordings`: give it training people only."""
    signal = _signal(recordings)
    return Normalisation(
        mean=tuple(signal.mean(dim=0).tolist()), std=tuple(signal.std(dim=0).tolist())
    )


def train(
    split: Split, epochs: int = EPOCHS, seed: int = 0, progress: Progress | None = None
) -> WatchNet:
    """Trains on the split's training people and returns the network, ready for inference.

    The number of epochs is fixed beforehand: the people it is measured on have no say in when to
    stop. The same seed gives the same weights. Raises ConfigError for epochs < 1.
    """
    if epochs < 1:
        raise ConfigError(
            where="watch training",
            expected="at least 1 epoch",
            got=str(epochs),
            action="Ask for more.",
        )
    with torch.random.fork_rng(devices=[]), _threads(THREADS):
        torch.manual_seed(seed)
        return _train(split, epochs, progress)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(split: Split, epochs: int, progress: Progress | None) -> WatchNet:
    crops = Crops(split.training, normalisation(split.training))
    network = WatchNet()
    # Each encoder also answers alone, through a layer that is thrown away after training: without
    # it, the head would learn from the better sensor and leave the other one untaught.
    alone = torch.nn.ModuleList(torch.nn.Linear(EMBEDDING, len(EXERCISES)) for _ in range(2))
    steps = epochs * STEPS_PER_EPOCH
    parameters = [*network.parameters(), *alone.parameters()]
    optimizer = AdamW(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    averaged = copy.deepcopy(network)
    network.train()
    for step in range(steps):
        accelerometer, gyroscope, exercise = crops.draw(BATCH)
        embeddings = network.accelerometer(accelerometer), network.gyroscope(gyroscope)
        # Modality dropout, all of it at once: the head is small next to the encoders, so every
        # presence set is trained on every batch instead of one set drawn at random.
        losses = [
            _loss(network.fusion(*embeddings, torch.tensor(present).expand(BATCH, 2)), exercise)
            for present in PRESENCE_SETS
        ]
        single = [
            _loss(layer(embedding), exercise)
            for layer, embedding in zip(alone, embeddings, strict=True)
        ]
        loss = torch.stack(losses).mean() + 0.5 * torch.stack(single).mean()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        _move_towards(averaged, network, share=max(1 / AVERAGED_OVER_STEPS, 1 / (step + 1)))
        if progress is not None and (step + 1) % STEPS_PER_EPOCH == 0:
            progress("train", (step + 1) // STEPS_PER_EPOCH, epochs)
    return averaged.eval()


@torch.no_grad()
def _move_towards(averaged: WatchNet, network: WatchNet, share: float) -> None:
    """A running mean of weights and batch statistics: less chance in it than in the last step."""
    current = network.state_dict()
    for name, mean in averaged.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(current[name], share)
        else:
            mean.copy_(current[name])


def _loss(logits: Tensor, exercise: Tensor) -> Tensor:
    return functional.cross_entropy(logits, exercise, label_smoothing=LABEL_SMOOTHING)


class Crops:
    """Draws random windows from recordings, each changed as another person's could be."""

    def __init__(self, recordings: Sequence[Recording], scale: Normalisation) -> None:
        lengths = [len(each.accelerometer) for each in recordings]
        self.signal = _signal(recordings)  # all recordings end to end, [rows, 6]
        self.length = torch.tensor(lengths)
        self.begin = self.length.cumsum(0) - self.length
        self.exercise = torch.tensor([each.exercise for each in recordings])
        self.mean = torch.tensor(scale.mean)
        self.std = torch.tensor(scale.std)

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised accelerometer and gyroscope [count, 3, WINDOW], exercise [count]."""
        which = torch.randint(len(self.length), (count,))
        tempo = torch.empty(count).uniform_(-TEMPO, TEMPO).exp()
        rows = self._read(which, tempo)
        # Played faster, an arm also turns faster. Gravity, most of the accelerometer, stays.
        turn = mirror(count) @ tilt(count)
        accelerometer = rows[..., :3] @ turn
        # Angular velocity is an axial vector: a mirror also flips its sense of rotation.
        handedness = torch.linalg.det(turn).view(-1, 1, 1)
        gyroscope = (rows[..., 3:] @ turn) * handedness * tempo.view(-1, 1, 1)
        signal = (torch.cat([accelerometer, gyroscope], dim=-1) - self.mean) / self.std
        gain = 1 + GAIN * torch.randn(count, 1, 2).repeat_interleave(3, dim=-1)
        signal = (signal * gain + NOISE * torch.randn_like(signal)).transpose(1, 2)
        return signal[:, :3].contiguous(), signal[:, 3:].contiguous(), self.exercise[which]

    def _read(self, which: Tensor, tempo: Tensor) -> Tensor:
        """WINDOW rows from a random place of each recording, `tempo` recorded rows apart."""
        room = self.length[which] - 1 - (WINDOW - 1) * tempo
        start = torch.rand(len(which)) * room.clamp_min(0)
        at = start.unsqueeze(1) + tempo.unsqueeze(1) * torch.arange(WINDOW)
        at = at.minimum((self.length[which] - 1.001).unsqueeze(1))
        below = at.floor()
        share = (at - below).unsqueeze(-1)
        row = self.begin[which].unsqueeze(1) + below.long()
        return torch.lerp(self.signal[row], self.signal[row + 1], share)


def mirror(count: int) -> Tensor:
    """For half of the windows the other arm: the watch's x axis points the other way there."""
    matrices = torch.eye(3).repeat(count, 1, 1)
    matrices[:, 0, 0] = 1.0 - 2.0 * torch.randint(2, (count,))
    return matrices


def tilt(count: int) -> Tensor:
    """Small random rotations [count, 3, 3], about a random axis each (Rodrigues' formula)."""
    vector = math.radians(TILT_DEGREES) * torch.randn(count, 3)
    angle = vector.norm(dim=-1).clamp_min(1e-6).view(-1, 1, 1)
    x, y, z = (vector / angle.squeeze(-1)).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(-1, 3, 3)
    rotations: Tensor = torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * cross @ cross
    return rotations


def _signal(recordings: Sequence[Recording]) -> Tensor:
    """All recordings end to end, [rows, 6]."""
    return torch.cat(
        [
            torch.cat([torch.from_numpy(each.accelerometer), torch.from_numpy(each.gyroscope)], 1)
            for each in recordings
        ]
    )
