"""Silero's voice activity detector (16 kHz) over a window, in plain torch; weights of a package."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait import ConfigError

RATE_HZ = 16000
CHUNK = 512
"""Samples that the detector steps by."""
FEATURES = 128

_CONTEXT = 64  # samples that each chunk sees of the one before
_FFT, _STEP = 256, 128
_BINS = _FFT // 2 + 1
# Of the four convolutions over a chunk's spectra: channels, stride.
_LAYERS = ((128, 1), (64, 2), (64, 2), (FEATURES, 1))


class Listener(nn.Module):
    """A waveform [batch, chunks * 512] -> what is remembered at its end, [batch, 128].

    Each chunk becomes four magnitude spectra, these one vector, and the vectors go through an LSTM
    that begins at zero: what the original does chunk after chunk.
    """

    def __init__(self) -> None:
        super().__init__()
        self.basis = nn.Conv1d(1, 2 * _BINS, _FFT, stride=_STEP, bias=False)
        layers: list[nn.Module] = []
        inputs = _BINS
        for outputs, stride in _LAYERS:
            layers += [nn.Conv1d(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU()]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.memory = nn.LSTMCell(FEATURES, FEATURES)

    def forward(self, waveform: Tensor) -> Tensor:
        padded = functional.pad(waveform, (_CONTEXT, 0))
        begins = range(0, waveform.shape[1], CHUNK)
        heard = torch.stack([padded[:, at : at + CHUNK + _CONTEXT] for at in begins], dim=1)
        summaries = self._summaries(heard.reshape(-1, 1, CHUNK + _CONTEXT))
        summaries = summaries.reshape(-1, len(begins), FEATURES)
        hidden = cell = torch.zeros_like(summaries[:, 0])
        for index in range(len(begins)):
            hidden, cell = self.memory(summaries[:, index], (hidden, cell))
        return hidden

    def _summaries(self, heard: Tensor) -> Tensor:
        """[chunks, 1, 576] -> [chunks, 128]."""
        spectra = self.basis(functional.pad(heard, (0, _CONTEXT), mode="reflect"))
        real, imaginary = spectra[:, :_BINS], spectra[:, _BINS:]
        summaries: Tensor = self.layers(torch.sqrt(real * real + imaginary * imaginary))[:, :, 0]
        return summaries


class Speech(nn.Module):
    """What is remembered -> two logits, whose softmax is the original's sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.decide = nn.Linear(FEATURES, 1)

    def forward(self, sound: Tensor, presence: Tensor) -> Tensor:
        logit = self.decide(functional.relu(sound * presence))
        return torch.cat([torch.zeros_like(logit), logit], dim=1)


def load() -> tuple[Listener, Speech]:
    """Both parts with their weights. Raises ConfigError where their package is missing."""
    try:
        path = files("silero_vad") / "data" / "silero_vad.jit"
    except ImportError as error:
        raise ConfigError(
            where="Silero VAD",
            expected="the package silero-vad, which holds the weights",
            got=str(error),
            action="pip install 'plait[zoo]'.",
        ) from error
    jit: Any = torch.jit
    stored = jit.load(str(path), map_location="cpu").state_dict()
    listener, speech = Listener(), Speech()
    weights = {"basis.weight": stored["_model.stft.forward_basis_buffer"]}
    for index in range(len(_LAYERS)):
        for kind in ("weight", "bias"):
            convolution = f"_model.encoder.{index}.reparam_conv.{kind}"
            weights[f"layers.{2 * index}.{kind}"] = stored[convolution]
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        weights[f"memory.{name}"] = stored[f"_model.decoder.rnn.{name}"]
    listener.load_state_dict(weights)
    last = {k: stored[f"_model.decoder.decoder.2.{k}"] for k in ("weight", "bias")}
    speech.load_state_dict({"decide.weight": last["weight"][:, :, 0], "decide.bias": last["bias"]})
    return listener.eval(), speech.eval()
