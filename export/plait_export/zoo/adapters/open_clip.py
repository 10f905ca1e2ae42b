"""open_clip: a picture and a text in one space, by a model's name and a file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from plait import ConfigError
from plait_export.describe import Deployment, Text
from plait_export.describe.readers import frame_from_open_clip
from plait_export.zoo.adapters.library import picture_of
from plait_export.zoo.adapters.loading import bundle_name, require
from plait_export.zoo.adapters.parts import embedding
from plait_export.zoo.adapters.weights import fill, read_weights, seeded

_PICTURE_AGE_MS = 1000.0
_TEXT_AGE_MS = 86_400_000.0

# As CLIP splits a text into words, once it is in lower case.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class Words(nn.Module):
    """A model's text tower with its projection: from ids [batch, tokens] to [batch, width]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        model: Any = self.model
        return cast(Tensor, model.encode_text(ids))


def from_open_clip(
    model_name: str, weights: str | Path | None, *, name: str | None = None
) -> Deployment:
    """What a device needs to answer as a model of open_clip does.

    weights: a state dict, .safetensors or what torch.save wrote; None: drawn with a fixed seed.
    Projections belong to open_clip's towers, so the heads only set unit length.

    Of its cleaning of texts, HTML entities and ftfy's repairs are not represented: those characters
    are taken as they are. Raises ConfigError for an unknown name, a tokenizer that is not CLIP's
    own, and a tensor that is missing, left over or of another shape.
    """
    where = f"open_clip:{model_name}"
    library = require("open_clip", where, extra="timm")
    if model_name not in library.list_models():
        near = ", ".join(m for m in library.list_models() if m[:5] == model_name[:5])
        raise ConfigError(
            where=where,
            expected="a model of open_clip" + (f", for instance {near}" if near else ""),
            got=repr(model_name),
            action="open_clip.list_models() lists them all.",
        )
    with seeded():
        model, _, transform = library.create_model_and_transforms(
            model_name, pretrained=None, load_weights=False, pretrained_text=False
        )
    model.eval()
    if weights is not None:
        fill(model, read_weights(weights), str(weights))
    tokenizer = library.get_tokenizer(model_name)
    tokens = int(tokenizer.context_length)

    def original(sample: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        import torch

        picture, ids = transform(picture_of(sample["image"]))[None], tokenizer([sample["text"]])
        with torch.inference_mode():
            image = model.encode_image(picture, normalize=True).numpy()
            text = model.encode_text(ids, normalize=True).numpy()
        prepared = {"prepare:image": picture.numpy(), "prepare:text": ids.numpy()}
        return {**prepared, "fuse:image": np.asarray(image), "fuse:text": np.asarray(text)}

    return Deployment(
        name=name or bundle_name(model_name),
        description=f"{model_name} of open_clip: image and text in one space.",
        modalities={
            "image": frame_from_open_clip(
                model, encoder=model.visual, max_age_ms=_PICTURE_AGE_MS, when_missing="mask"
            ),
            "text": Text(
                encoder=Words(model),
                tokenizer=_tokenizer(tokenizer, where),
                tokens=tokens,
                pad_id=0,
                max_age_ms=_TEXT_AGE_MS,
                when_missing="mask",
            ),
        },
        heads={key: embedding(None, key, normalized=True) for key in ("image", "text")},
        original=original,
    )


def _tokenizer(simple: Any, where: str) -> bytes:
    """open_clip's own tokenizer as a tokenizer.json. Raises ConfigError where it has another."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    kind, clean = type(simple).__name__, getattr(simple, "clean_fn", None)
    if kind != "SimpleTokenizer" or getattr(clean, "__name__", "") != "_clean_lower":
        raise ConfigError(
            where=f"{where}, tokenizer",
            expected="CLIP's own tokenizer, in lower case",
            got=kind,
            action="Export the model's transformers version: plait export hf:DIRECTORY.",
        )
    begin, end = "<start_of_text>", "<end_of_text>"
    made = Tokenizer(
        models.BPE(
            vocab=simple.encoder,
            merges=sorted(simple.bpe_ranks, key=simple.bpe_ranks.__getitem__),
            end_of_word_suffix="</w>",
            unk_token=end,
        )
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.post_processor = processors.RobertaProcessing(
        (end, simple.encoder[end]), (begin, simple.encoder[begin]), False, False
    )
    made.add_special_tokens([begin, end])
    return made.to_str().encode()
