"""What 20 greedy tokens of a small decoder cost, against ONNX Runtime driven from Python.

    python benchmarks/generation.py [--json FILE] [--quick]

BART's decoder with random weights (4 layers of 256, 8192 words), looking at 50 places. Ours is
Model.generate from an answer, with a cache for 32 tokens and for 128. The peer is the same decoder
in ONNX Runtime FP32 as it is driven from Python without binding: run() with a past of keys and
values that grows by concatenation in the graph; its cross-attention's keys and values are computed
once, too. One thread each. Tokens are compared before anything is timed.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: its neighbours are found from the project's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from transformers import BartConfig, BartForConditionalGeneration

import plait
from benchmarks import harness
from plait_export import Deployment, Generation, Signal, export
from tests.cases.caption_bundle import BartDecoder

TOKENS, LAYERS, HEADS, WIDTH, VOCABULARY, PLACES = 20, 4, 4, 256, 8192, 25
START, END, PAD = 2, 3, 1


class _Places(nn.Module):
    """[batch, 2, 50] -> [batch, PLACES, WIDTH]."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(4, WIDTH)

    def forward(self, sample: Tensor) -> Tensor:
        return self.projection(sample.unflatten(2, (PLACES, 2)).transpose(1, 2).flatten(2))


class _GrowingStep(nn.Module):
    """The same step over a past that grows: torch.cat, and attention over all of it."""

    def __init__(self, ours: BartDecoder) -> None:
        super().__init__()
        self.ours = ours

    def forward(self, token: Tensor, position: Tensor, memory: Tensor, past: Tensor) -> Any:
        """memory: [1, parts, heads, places, size]. past: [layers * 2, 1, heads, length, size]."""
        decoder, split = self.ours.decoder, self.ours.split
        places = decoder.embed_positions.weight[position[:, 0] + decoder.embed_positions.offset]
        hidden = decoder.layernorm_embedding(self.ours.words(token)[:, 0] + places)
        grown = []
        for i, layer in enumerate(decoder.layers):
            own = layer.self_attn
            query, key, value = (
                split(project(hidden)).unsqueeze(2)
                for project in (own.q_proj, own.k_proj, own.v_proj)
            )
            keys = torch.cat((past[2 * i], key), dim=2)
            values = torch.cat((past[2 * i + 1], value), dim=2)
            grown += [keys, values]
            mixed = _attend(query, keys, values)
            hidden = layer.self_attn_layer_norm(hidden + own.out_proj(mixed))
            cross = layer.encoder_attn
            query = split(cross.q_proj(hidden)).unsqueeze(2)
            mixed = _attend(query, memory[:, 2 * i], memory[:, 2 * i + 1])
            hidden = layer.encoder_attn_layer_norm(hidden + cross.out_proj(mixed))
            inner = layer.activation_fn(layer.fc1(hidden))
            hidden = layer.final_layer_norm(hidden + layer.fc2(inner))
        return self.ours.head(hidden) + self.ours.bias, torch.stack(grown)


def _attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    scores = query @ keys.transpose(2, 3) * query.shape[-1] ** -0.5
    return (torch.softmax(scores, dim=-1) @ values).flatten(1)


def _decoder(seed: int) -> BartDecoder:
    torch.manual_seed(seed)
    config = BartConfig(
        vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=1, decoder_layers=LAYERS,
        encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=64,
        decoder_ffn_dim=4 * WIDTH, max_position_embeddings=128, init_std=0.08,
        pad_token_id=PAD, bos_token_id=START, eos_token_id=END, decoder_start_token_id=START,
    )  # fmt: skip
    bart = BartForConditionalGeneration(config).eval()
    bart.final_logits_bias[0, [END, 60]] = -1e4  # never ends: 20 tokens are measured
    return BartDecoder(bart).eval()


def _bundle(decoder: BartDecoder, max_length: int, folder: str) -> Path:
    path = Path(folder) / f"decoder-{max_length}.plait"
    torch.manual_seed(1)  # the same encoders in every bundle
    signals = {
        name: Signal(encoder=_Places(), channels=2, rate_hz=50, window=2 * PLACES, unit="m/s^2",
                     max_age_ms=500, when_missing="refuse")
        for name in ("left", "right")
    }  # fmt: skip
    head = Generation(
        decoder, layers=LAYERS, heads=HEADS, head_size=WIDTH // HEADS, max_length=max_length,
        start=[START], end=[END], pad=PAD, labels=[f"w{i}" for i in range(VOCABULARY)],
        max_tokens=TOKENS,
    )  # fmt: skip
    deployment = Deployment(name="decoder", modalities=signals, heads={"caption": head})
    export(deployment, path, samples=[_sample(seed) for seed in range(3)], precisions=("fp32",))
    return path


def _sample(seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    shape = (2 * PLACES, 2)
    return {name: random.normal(size=shape).astype(np.float32) for name in ("left", "right")}


def _peer(decoder: BartDecoder, memory: np.ndarray[Any, Any]) -> Callable[[], list[int]]:
    past = torch.zeros(2 * LAYERS, 1, HEADS, 3, WIDTH // HEADS)
    at = torch.zeros(1, 1, dtype=torch.int64)
    file = io.BytesIO()
    program = torch.onnx.export(
        _GrowingStep(decoder), (at, at.clone(), torch.from_numpy(memory), past),
        dynamo=True, verbose=False,
        input_names=["token", "position", "memory", "past"], output_names=["logits", "grown"],
        dynamic_shapes=({}, {}, {}, {3: torch.export.Dim("past", min=0, max=128)}),
        opset_version=20,
    )  # fmt: skip
    assert program is not None
    program.save(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        file.getvalue(), options, providers=["CPUExecutionProvider"]
    )

    def say() -> list[int]:
        said = [START]
        held = np.zeros((2 * LAYERS, 1, HEADS, 0, WIDTH // HEADS), np.float32)
        for position in range(TOKENS):
            feeds = {
                "token": np.array([[said[-1]]]),
                "position": np.array([[position]]),
                "memory": memory,
                "past": held,
            }
            logits, held = session.run(None, feeds)
            said.append(int(logits[0].argmax()))
        return said[1:]

    return say


def main() -> None:
    """Exports, compares and measures."""
    arguments = harness.options(__doc__ or "")
    torch.set_num_threads(1)
    decoder = _decoder(arguments.seed)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        models = {n: plait.load(_bundle(decoder, n, folder), threads=1) for n in (32, 128)}
        answers = {n: model(**_sample(9)) for n, model in models.items()}
        memory = np.array(answers[32]["caption"].output)[None]
        peer = _peer(decoder, memory)
        calls: dict[str, Callable[[], object]] = {"peer": peer}
        for n, model in models.items():
            if model.generate("caption", answers[n]).tokens != peer():
                raise SystemExit("other tokens than ONNX Runtime's")
            calls[str(n)] = lambda n=n, model=model: model.generate("caption", answers[n])
        rounds = 30 if arguments.quick else 200
        times = harness.interleave(calls, rounds, arguments.seed, warm_up=5)
        for n in models:
            ours = times[str(n)].median
            rows.append(
                harness.Row(
                    name=f"{TOKENS} tokens, fp32, cache of {n}",
                    ours_ms=ours,
                    peer="ONNX Runtime fp32, growing past, run()",
                    peer_ms=times["peer"].median,
                    ratio=times["peer"].median / ours,
                    note="Model.generate, greedy, one thread",
                )
            )
    harness.report("benchmarks/generation.py", arguments, rows)


if __name__ == "__main__":
    main()
