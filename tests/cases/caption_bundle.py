"""A bundle that captions two signals: transformers' BART decoder, random and tiny, step by step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BartConfig, BartForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from plait_export import Deployment, ExportReport, Generation, Signal, cached_attention, export

VOCABULARY, MAX_LENGTH, LAYERS, HEADS, WIDTH = 61, 24, 2, 3, 24
START, END, PAD = 2, 3, 1
BROKEN = 60  # its embedding is NaN; it is never said
NAMES = ("left", "right")
Sample = dict[str, Any]


class BartDecoder(nn.Module):
    """The protocol of Generation around a BartForConditionalGeneration."""

    def __init__(self, bart: BartForConditionalGeneration) -> None:
        super().__init__()
        self.decoder, self.head = bart.model.decoder, bart.lm_head
        words = bart.model.decoder.embed_tokens.weight.detach().clone()
        words[BROKEN] = torch.nan
        self.words = nn.Embedding.from_pretrained(words)
        self.heads = bart.config.decoder_attention_heads
        self.register_buffer("bias", bart.final_logits_bias)

    def split(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (self.heads, -1))

    def memory(self, left: Tensor, right: Tensor, presence: Tensor) -> list[Tensor]:
        """Keys and values of each cross-attention: [batch, heads, places, size]."""
        there = presence.unsqueeze(2)
        hidden = torch.cat((left * there[:, :1], right * there[:, 1:]), dim=1)
        return [
            self.split(project(hidden)).transpose(1, 2)
            for layer in self.decoder.layers
            for project in (layer.encoder_attn.k_proj, layer.encoder_attn.v_proj)
        ]

    def step(
        self,
        token: Tensor,
        position: Tensor,
        presence: Tensor,
        memory: list[Tensor],
        cache: list[tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        decoder = self.decoder
        places = decoder.embed_positions.weight[position[:, 0] + decoder.embed_positions.offset]
        hidden = decoder.layernorm_embedding(self.words(token)[:, 0] + places)
        seen = presence.repeat_interleave(memory[0].shape[2] // 2, dim=1)[:, None, None]
        entries = []
        for i, layer in enumerate(decoder.layers):
            own = layer.self_attn
            query, key, value = (
                self.split(project(hidden)) for project in (own.q_proj, own.k_proj, own.v_proj)
            )
            entries.append((key, value))
            mixed = cached_attention(
                query, *cache[i], new_key=key, new_value=value, position=position
            ).flatten(1)
            hidden = layer.self_attn_layer_norm(hidden + own.out_proj(mixed))
            cross = layer.encoder_attn
            query = self.split(cross.q_proj(hidden)).unsqueeze(2)
            scores = query @ memory[2 * i].transpose(2, 3) * query.shape[-1] ** -0.5
            weights = torch.softmax(scores.masked_fill(seen == 0.0, -1e30), dim=-1)
            mixed = (weights @ memory[2 * i + 1]).flatten(1)
            hidden = layer.encoder_attn_layer_norm(hidden + cross.out_proj(mixed))
            inner = layer.activation_fn(layer.fc1(hidden))
            hidden = layer.final_layer_norm(hidden + layer.fc2(inner))
        return self.head(hidden) + self.bias, entries


class Windows(nn.Module):
    """[batch, 2, 12] -> four places [batch, 4, WIDTH]."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(6, WIDTH)

    def forward(self, sample: Tensor) -> Tensor:
        return self.projection(sample.unflatten(2, (4, 3)).transpose(1, 2).flatten(2)) * 3.0


@dataclass(frozen=True)
class Captioner:
    """The original, to ask what transformers says, and the description made of it."""

    bart: BartForConditionalGeneration
    encoders: dict[str, Windows]
    deployment: Deployment

    def original(self, sample: Sample, **options: Any) -> list[int]:
        """Tokens after the start, as transformers' generate gives them; None is absent."""
        there = [sample[name] is not None for name in NAMES]
        with torch.inference_mode():
            hidden = torch.cat(
                [
                    self.encoders[name](torch.from_numpy(sample[name].T.copy())[None])
                    if sample[name] is not None
                    else torch.zeros(1, 4, WIDTH)
                    for name in NAMES
                ],
                dim=1,
            )
            mask = torch.tensor(np.repeat(there, 4).astype(np.int64))[None]
            ids = self.bart.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
                attention_mask=mask,
                **options,
            )
        return [int(token) for token in ids[0]]


def tokenizer_json() -> bytes:
    """Words w0 ... of a WordLevel tokenizer; the specials in front."""
    special = ["<unk>", "<pad>", "<s>", "</s>"]
    words = special + [f"w{i}" for i in range(VOCABULARY - len(special))]
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": i,
                    "content": word,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
                for i, word in enumerate(special)
            ],
            "normalizer": None,
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": None,
            "decoder": None,
            "model": {
                "type": "WordLevel",
                "vocab": {word: i for i, word in enumerate(words)},
                "unk_token": "<unk>",
            },
        }
    ).encode()


def captioner(seed: int, **head: Any) -> Captioner:
    torch.manual_seed(seed)
    config = BartConfig(
        vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=1, decoder_layers=LAYERS,
        encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=32,
        decoder_ffn_dim=40, max_position_embeddings=64, init_std=0.6, dropout=0.0,
        pad_token_id=PAD, bos_token_id=START, eos_token_id=END, decoder_start_token_id=START,
        forced_eos_token_id=None, forced_bos_token_id=None,
    )  # fmt: skip
    bart = BartForConditionalGeneration(config).eval()
    bart.generation_config.forced_eos_token_id = None
    bart.final_logits_bias[0, END] = 3.0
    bart.final_logits_bias[0, BROKEN] = -1e4
    encoders = {name: Windows() for name in NAMES}
    deployment = Deployment(
        name="captions",
        modalities={
            name: Signal(encoder=encoders[name], channels=2, rate_hz=20, window=12, unit="m/s^2",
                         max_age_ms=500, when_missing="mask")
            for name in NAMES
        },
        heads={
            "caption": Generation(
                BartDecoder(bart), layers=LAYERS, heads=HEADS, head_size=WIDTH // HEADS,
                max_length=MAX_LENGTH, start=[START], end=[END], pad=PAD,
                tokenizer=tokenizer_json(), vocabulary=VOCABULARY, **head,
            )
        },
    )  # fmt: skip
    return Captioner(bart, encoders, deployment)


def samples(count: int, seed: int) -> list[Sample]:
    random = np.random.default_rng(seed)
    return [
        {name: random.normal(size=(12, 2)).astype(np.float32) for name in NAMES}
        for _ in range(count)
    ]


def export_captions(case: Captioner, path: Path, seed: int, **options: Any) -> ExportReport:
    return export(case.deployment, path, samples=samples(6, seed), **options)
