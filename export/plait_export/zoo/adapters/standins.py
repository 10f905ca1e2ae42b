"""Processors made from a model's configuration alone, for random weights: speed, not meaning."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from plait import ConfigError

_SHORTEST = ("CLIPImageProcessor", "BitImageProcessor")
# Of the vision tower's model_type.
_IMAGE_PROCESSORS = {
    "clip": "CLIPImageProcessor",
    "clip_vision_model": "CLIPImageProcessor",
    "deit": "DeiTImageProcessor",
    "dinov2": "BitImageProcessor",
    "siglip_vision_model": "SiglipImageProcessor",
    "vit": "ViTImageProcessor",
}


def image_processor(config: Any) -> Any:
    """Its family's processor, with the side of picture that the tower was made for."""
    transformers: Any = import_module("transformers")

    vision = getattr(config, "vision_config", config)
    name = _IMAGE_PROCESSORS.get(vision.model_type)
    if name is None:
        raise ConfigError(
            where=f"{vision.model_type}, preprocessor_config.json",
            expected="the file: no default is known for this tower",
            got="none",
            action="Save an image processor into the folder.",
        )
    side = int(vision.image_size)
    square = {"height": side, "width": side}
    make = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    if name == "DeiTImageProcessor":
        return make(size=square, crop_size=square)
    if name in _SHORTEST:
        return make(size={"shortest_edge": side}, crop_size=square)
    return make(size=square)


def tokenizer(config: Any) -> Any:
    """Bytes as tokens, between the ids that the configuration calls begin and end."""
    transformers: Any = import_module("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    text = getattr(config, "text_config", config)
    size = int(text.vocab_size)
    special = {"bos": text.bos_token_id, "eos": text.eos_token_id, "pad": text.pad_token_id}
    if text.model_type in ("clip", "clip_text_model"):  # its pad is its end; 2 means the largest id
        end = size - 1 if special["eos"] in (2, None) else special["eos"]
        special = {"bos": end - 1, "eos": end, "pad": end}
    ids = {name: id for name, id in special.items() if id is not None and 0 <= id < size}
    taken = set(ids.values())
    free = (id for id in range(size) if id not in taken)
    vocabulary = dict(zip(sorted(pre_tokenizers.ByteLevel.alphabet()), free, strict=False))
    names = {name: f"<{name}>" for name in ids if name != "pad" or ids[name] != ids.get("eos")}
    vocabulary |= {names[name]: ids[name] for name in names}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    around = [name for name in ("bos", "eos") if name in names]
    made.add_special_tokens(sorted(names.values()))
    made.post_processor = processors.TemplateProcessing(
        single=" ".join(
            [
                *(names[n] for n in around if n == "bos"),
                "$A",
                *(names[n] for n in around if n == "eos"),
            ]
        ),
        special_tokens=[(names[name], ids[name]) for name in around],
    )
    pad = names.get("pad") or names.get("eos") or next(iter(vocabulary))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=pad,
        model_max_length=int(text.max_position_embeddings),
        model_input_names=["input_ids"]
        if text.model_type == "siglip_text_model"
        else ["input_ids", "attention_mask"],
    )


def feature_extractor(config: Any) -> Any:
    """Its family's extractor, with the bands and frames that the tower was made for."""
    transformers: Any = import_module("transformers")

    kind = config.model_type
    if kind == "audio-spectrogram-transformer":
        return transformers.ASTFeatureExtractor(
            num_mel_bins=config.num_mel_bins, max_length=config.max_length
        )
    if kind == "whisper":
        # Its convolutions halve 100 frames a second.
        return transformers.WhisperFeatureExtractor(
            feature_size=config.num_mel_bins, chunk_length=config.max_source_positions // 50
        )
    return transformers.ClapFeatureExtractor(
        feature_size=config.audio_config.num_mel_bins, truncation="rand_trunc"
    )
