"""sentence-transformers: a text tower, pooling, and layers on top (Reimers and Gurevych, 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from plait import ConfigError
from plait_export.describe import Deployment, Embedding, Text
from plait_export.zoo.adapters.library import text_input
from plait_export.zoo.adapters.loading import bundle_name, check_weights, require
from plait_export.zoo.adapters.source import Source, positions

_AFTER = ("Dense", "Normalize")


class Tower(nn.Module):
    """Token embeddings, pooled: from ids and mask [batch, tokens] to [batch, width]."""

    def __init__(self, tower: nn.Module, pooling: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        self.pooling = pooling

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        tokens = self.tower(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = self.pooling({"token_embeddings": tokens, "attention_mask": mask})
        return cast(Tensor, pooled["sentence_embedding"])


class After(nn.Module):
    """The layers behind the pooling."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, text: Tensor, presence: Tensor) -> Tensor:
        features = {"sentence_embedding": text * presence}
        for layer in self.layers:
            features = layer(features)
        return features["sentence_embedding"]


@dataclass(frozen=True)
class _Original:
    """The library's own way; see Deployment.original."""

    model: Any
    text: Text
    tokenizer: Any

    def __call__(self, sample: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        said = str(sample["text"])
        prepared = text_input(self.tokenizer, self.text.tokens)(said)
        rows = [prepared["input_ids"].numpy(), prepared["attention_mask"].numpy()]
        answer = self.model.encode([said], convert_to_numpy=True, show_progress_bar=False)
        return {"prepare:text": np.stack(rows, axis=1), "fuse:text": np.asarray(answer)}


def from_sentence_transformers(
    folder: str | Path, *, name: str | None = None, tokens: int | None = None
) -> Deployment:
    """What a device needs to answer as a saved SentenceTransformer does.

    folder: with modules.json: a Transformer, a Pooling, then Dense and Normalize as there are.
    tokens: that the encoder sees; None: max_seq_length. Raises ConfigError for what it can't be.
    """
    path = Path(folder)
    library = require("sentence_transformers", str(path))
    try:
        model = library.SentenceTransformer(str(path), device="cpu", local_files_only=True).eval()
    except Exception as error:
        raise ConfigError(
            where=str(path),
            expected="a folder that SentenceTransformer.save wrote, with modules.json",
            got=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            action="Save the model there again.",
        ) from error
    transformer, pooling, *after = _modules(model, str(path))
    tower = transformer.auto_model.float()
    _check_stored(path, tower)
    source = Source(
        tower, None, {"tokenizer": transformer.tokenizer}, tokens=tokens or model.max_seq_length
    )
    text = source.text(Tower(tower, pooling), mask=True, longest=positions(tower.config))
    return Deployment(
        name=name or bundle_name(path.resolve().name),
        description=f"{type(tower).__name__} of sentence-transformers.",
        modalities={"text": text},
        heads={"text": Embedding(After(after))},
        original=_Original(model, text, transformer.tokenizer),
    )


def _modules(model: Any, where: str) -> list[Any]:
    """Transformer, Pooling and what follows; or ConfigError."""
    modules = list(model)
    names = [type(module).__name__ for module in modules]
    usual = names[:2] == ["Transformer", "Pooling"] and all(n in _AFTER for n in names[2:])
    if not usual:
        raise ConfigError(
            where=f"{where}, modules.json",
            expected="a Transformer, a Pooling, then Dense and Normalize",
            got=", ".join(names),
            action="Describe the model with plait_export.Deployment.",
        )
    for module in modules[2:]:
        if {module.module_input_name, module.module_output_name} != {"sentence_embedding"}:
            raise ConfigError(
                where=f"{where}, {type(module).__name__}",
                expected="a layer on the sentence's embedding",
                got=f"{module.module_input_name} to {module.module_output_name}",
                action="Describe the model with plait_export.Deployment.",
            )
    if model.default_prompt_name is not None:
        raise ConfigError(
            where=f"{where}, default_prompt_name",
            expected="none: a bundle takes texts as they are",
            got=repr(model.default_prompt_name),
            action="Remove it, and put the prompt before each text yourself.",
        )
    if getattr(modules[0], "do_lower_case", False):
        raise ConfigError(
            where=f"{where}, do_lower_case",
            expected="false: the tokenizer's own normalizer does it",
            got="true",
            action="Save a tokenizer that lower-cases.",
        )
    return modules


def _check_stored(folder: Path, tower: Any) -> None:
    """Every weight but those of a pooler that nobody asks. SentenceTransformer itself is silent."""
    _, found = type(tower).from_pretrained(
        folder, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True
    )
    kept = {
        key: [name for name in found.get(key) or () if not str(name).startswith("pooler.")]
        for key in ("missing_keys", "unexpected_keys")
    }
    check_weights(folder, type(tower).__name__, {**found, **kept})
