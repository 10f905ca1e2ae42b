"""The library's own way from a raw sample to an answer, which a bundle is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# What a model's forward calls the input of a modality; the mask is a second row of a text's.
_INPUTS = ("pixel_values", "input_features", "input_values", "input_ids")


@dataclass(frozen=True)
class Library:
    """Called with a raw sample, it returns arrays by stage; see Deployment.original.

    inputs: per modality from a raw sample to what `model` takes, by keyword. heads: from the
    model's output to each head's. towers: the module whose pooled output is a modality's embedding.
    masked: texts whose encoder takes ids and mask.
    """

    model: nn.Module
    inputs: Mapping[str, Callable[[Any], Mapping[str, Tensor]]]
    heads: Mapping[str, Callable[[Any], Tensor]]
    towers: Mapping[str, nn.Module] = field(default_factory=dict)
    masked: frozenset[str] = frozenset()

    def __call__(self, sample: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        said: dict[str, NDArray[Any]] = {}
        keywords: dict[str, Tensor] = {}
        for name, prepare in self.inputs.items():
            prepared = prepare(sample[name])
            said[f"prepare:{name}"] = _input(prepared, masked=name in self.masked)
            keywords |= prepared
        with torch.inference_mode(), ExitStack() as hooks:
            seen = {
                name: hooks.enter_context(_pooled(tower)) for name, tower in self.towers.items()
            }
            output = self.model(**keywords)
        said |= {f"encode:{name}": found[0].numpy() for name, found in seen.items()}
        said |= {f"fuse:{head}": take(output).numpy() for head, take in self.heads.items()}
        return said


def _input(prepared: Mapping[str, Tensor], *, masked: bool) -> NDArray[Any]:
    values = next(prepared[name] for name in _INPUTS if name in prepared)
    if masked:
        values = torch.stack([values, prepared["attention_mask"]], dim=1)
    return values.numpy()


@contextmanager
def _pooled(tower: nn.Module) -> Iterator[list[Tensor]]:
    """What a tower pools while the model runs, for some models overwrite it with its projection; of
    one that does not pool all its tokens."""
    found: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        pooled = getattr(output, "pooler_output", None)
        found.append(output.last_hidden_state if pooled is None else pooled)

    hook = tower.register_forward_hook(keep)
    try:
        yield found
    finally:
        hook.remove()


def picture_input(processor: Any) -> Callable[[Any], Mapping[str, Tensor]]:
    """From a bgr8 frame through an image processor."""

    def prepare(frame: NDArray[np.uint8]) -> Mapping[str, Tensor]:
        return dict(processor(images=picture_of(frame), return_tensors="pt"))

    return prepare


def picture_of(frame: NDArray[np.uint8]) -> Any:
    """A bgr8 frame as Pillow's image."""
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(frame[:, :, ::-1]))


def text_input(tokenizer: Any, tokens: int) -> Callable[[Any], Mapping[str, Tensor]]:
    """From a string through a tokenizer, padded to the tokens that a bundle's encoder sees."""

    def prepare(text: str) -> Mapping[str, Tensor]:
        return dict(
            tokenizer(
                str(text),
                padding="max_length",
                max_length=tokens,
                truncation=True,
                return_tensors="pt",
            )
        )

    return prepare


def sound_input(extractor: Any) -> Callable[[Any], Mapping[str, Tensor]]:
    """From mono sound at the extractor's rate."""

    def prepare(sound: NDArray[np.float32]) -> Mapping[str, Tensor]:
        mono = np.asarray(sound).reshape(-1)
        return dict(extractor(mono, sampling_rate=extractor.sampling_rate, return_tensors="pt"))

    return prepare
