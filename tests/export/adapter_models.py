"""Small models of every family with an adapter, made at random and saved as their library does; and
what the library itself answers, asked as its own documentation does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from tests.cases import tokenizers

Sample = Mapping[str, Any]
Answers = dict[str, NDArray[np.float32]]

# One layer where tracing is most of a test's time; second configurations have more.
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
VISION: dict[str, Any] = {
    "hidden_size": 36,
    "intermediate_size": 44,
    "num_hidden_layers": 1,
    "num_attention_heads": 3,
}
SENTENCES = (
    "a photo of a cat",
    "Äpfel und Birnen, 12 of them!",
    "",
    "rain " * 90,
    "The quick brown fox jumps over the lazy dog.",
)


@dataclass(frozen=True)
class Case:
    """make: writes a model and its processors into a folder. ask: the library's answers by head,
    from that folder and a raw sample."""

    make: Callable[[Path], None]
    ask: Callable[[Path, Sample], Answers]


def picture_of(frame: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(frame[:, :, ::-1]))


def fast(family: str, length: int, **said: Any) -> Any:
    pads = {"clip": "<|endoftext|>", "bert": "[PAD]"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.FAMILIES[family](),
        **{"pad_token": pads[family], "model_max_length": length, **said},
    )


def save(folder: Path, model: Any, *processors: Any) -> None:
    """Weights larger than a model begins with: else all answers lie close together."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 1.5 * parameter.shape[-1] ** -0.5)
    model.save_pretrained(folder)
    for processor in processors:
        processor.save_pretrained(folder)


def _picture(folder: Path, frame: Any) -> Any:
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    return processor(images=picture_of(frame), return_tensors="pt")


def _dual(kind: str, **padding: Any) -> Callable[[Path, Sample], Answers]:
    """Of two towers, in one call of the whole model."""

    def ask(folder: Path, sample: Sample) -> Answers:
        model = getattr(transformers, kind).from_pretrained(folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        texts = tokenizer(sample["text"], truncation=True, return_tensors="pt", **padding)
        with torch.inference_mode():
            output = model(**_picture(folder, sample["image"]), **texts)
        return {"image": output.image_embeds.numpy(), "text": output.text_embeds.numpy()}

    return ask


def _one(kind: str, head: str, field: str) -> Callable[[Path, Sample], Answers]:
    """Of a model of pictures."""

    def ask(folder: Path, sample: Sample) -> Answers:
        model = getattr(transformers, kind).from_pretrained(folder).eval()
        with torch.inference_mode():
            output = model(**_picture(folder, sample["image"]))
        return {head: getattr(output, field).numpy()}

    return ask


def _clip(folder: Path, *, side: int, patch: int, end: int | None, layers: int = 1) -> None:
    tokenizer = fast("clip", 21)
    size = len(tokenizer)
    last = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    text = dict(TEXT, vocab_size=size, max_position_embeddings=21, eos_token_id=end or last)
    vision = dict(VISION, image_size=side, patch_size=patch)
    text["num_hidden_layers"] = vision["num_hidden_layers"] = layers
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    crop = {"height": side, "width": side}
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=crop)
    save(folder, transformers.CLIPModel(config), processor, tokenizer)


def _siglip(folder: Path, *, masked: bool) -> None:
    names = ["input_ids", "attention_mask"] if masked else ["input_ids"]
    tokenizer = fast("bert", 17, model_input_names=names)
    text = dict(
        TEXT, vocab_size=len(tokenizer), max_position_embeddings=17, projection_size=36,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    vision = dict(VISION, image_size=33, patch_size=11)
    config = transformers.SiglipConfig(text_config=text, vision_config=vision)
    processor = transformers.SiglipImageProcessorPil(size={"height": 33, "width": 33}, resample=2)
    save(folder, transformers.SiglipModel(config), processor, tokenizer)


def _dual_encoder(folder: Path, *, vision: str) -> None:
    tokenizer = fast("bert", 512)
    text = transformers.BertConfig(**TEXT, vocab_size=len(tokenizer), max_position_embeddings=23)
    kind = {"vit": transformers.ViTConfig, "clip": transformers.CLIPVisionConfig}[vision]
    config = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(
        kind(**VISION, image_size=30, patch_size=6), text, projection_dim=20
    )
    processor = transformers.ViTImageProcessorPil(size={"height": 30, "width": 30})
    save(folder, transformers.VisionTextDualEncoderModel(config), processor, tokenizer)


def _vit(folder: Path, *, kind: str, **said: Any) -> None:
    family = kind.partition("For")[0].removesuffix("Model")
    config = getattr(transformers, f"{family}Config")(**VISION, image_size=28, patch_size=7, **said)
    square = {"height": 28, "width": 28}
    if family == "Dinov2":
        processor = transformers.BitImageProcessorPil(size={"shortest_edge": 35}, crop_size=square)
    else:
        processor = transformers.ViTImageProcessorPil(size=square)
    save(folder, getattr(transformers, kind)(config), processor)


def _text(kind: str, head: str, field: str) -> Callable[[Path, Sample], Answers]:
    """Of a model of texts."""

    def ask(folder: Path, sample: Sample) -> Answers:
        model = getattr(transformers, kind).from_pretrained(folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        inputs = tokenizer(sample["text"], truncation=True, max_length=23, return_tensors="pt")
        with torch.inference_mode():
            return {head: getattr(model(**inputs), field).numpy()}

    return ask


def _bert(folder: Path, *, kind: str, **said: Any) -> None:
    tokenizer = fast("bert", 512, model_input_names=["input_ids", "attention_mask"])
    config = getattr(transformers, f"{kind.partition('For')[0].removesuffix('Model')}Config")
    sizes = {**TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": 23, **said}
    save(folder, getattr(transformers, kind)(config(**sizes)), tokenizer)


def _sentence(folder: Path, *, modes: Any, after: str) -> None:
    import sentence_transformers
    from sentence_transformers import models

    _bert(folder / "tower", kind="BertModel")
    tower = models.Transformer(str(folder / "tower"), max_seq_length=19)
    pooling = models.Pooling(32, pooling_mode=modes)
    width = pooling.get_embedding_dimension()
    layers = [models.Normalize()] if after == "Normalize" else [models.Dense(width, 20)]
    made = sentence_transformers.SentenceTransformer(modules=[tower, pooling, *layers])
    made.save(str(folder))


def _ask_sentence(folder: Path, sample: Sample) -> Answers:
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    return {"text": model.encode([sample["text"]], show_progress_bar=False)}


def _heard(folder: Path, sample: Sample) -> Any:
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    rate = extractor.sampling_rate
    return extractor(sample["sound"], sampling_rate=rate, return_tensors="pt")


def _sound(kind: str, head: str, take: Callable[[Any], Any]) -> Callable[[Path, Sample], Answers]:
    """Of a model of sounds."""

    def ask(folder: Path, sample: Sample) -> Answers:
        model = getattr(transformers, kind).from_pretrained(folder).eval()
        with torch.inference_mode():
            asked = model.get_encoder() if kind == "WhisperModel" else model
            return {head: take(asked(**_heard(folder, sample))).numpy()}

    return ask


def _ast(folder: Path, *, kind: str, **said: Any) -> None:
    config = transformers.ASTConfig(**VISION, max_length=61, num_mel_bins=48, **said)
    extractor = transformers.ASTFeatureExtractor(num_mel_bins=48, max_length=61)
    save(folder, getattr(transformers, kind)(config), extractor)


def _whisper(folder: Path, *, kind: str, **said: Any) -> None:
    config = transformers.WhisperConfig(
        vocab_size=90, num_mel_bins=40, encoder_layers=1, encoder_attention_heads=2,
        decoder_layers=1, decoder_attention_heads=2, d_model=32, encoder_ffn_dim=40,
        decoder_ffn_dim=40, max_source_positions=150, max_target_positions=20,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, **said,
    )  # fmt: skip
    extractor = transformers.WhisperFeatureExtractor(feature_size=40, chunk_length=3)
    save(folder, getattr(transformers, kind)(config), extractor)


def _clap(folder: Path, *, projection: int, rate: int, stages: int) -> None:
    tokenizer = fast("bert", 512, model_input_names=["input_ids", "attention_mask"])
    text = dict(
        TEXT, vocab_size=len(tokenizer), max_position_embeddings=22, pad_token_id=0,
        projection_dim=projection,
    )  # fmt: skip
    audio = {
        "num_mel_bins": 16, "spec_size": 64, "window_size": 4, "hidden_size": 16 * stages,
        "patch_size": 4, "patch_stride": [4, 4], "depths": [1] * stages,
        "num_attention_heads": [2, 4][:stages],
        "patch_embeds_hidden_size": 16, "projection_dim": projection, "num_classes": 4,
    }  # fmt: skip
    config = transformers.ClapConfig(
        text_config=text, audio_config=audio, projection_dim=projection
    )
    extractor = transformers.ClapFeatureExtractor(
        feature_size=16, sampling_rate=rate, max_length_s=1, truncation="rand_trunc",
        fft_window_size=512, hop_length=160, frequency_max=rate // 2,
    )  # fmt: skip
    save(folder, transformers.ClapModel(config), extractor, tokenizer)


def _ask_clap(folder: Path, sample: Sample) -> Answers:
    model = transformers.ClapModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = tokenizer(sample["text"], truncation=True, max_length=21, return_tensors="pt")
    with torch.inference_mode():
        output = model(**_heard(folder, sample), **texts)
    return {"sound": output.audio_embeds.numpy(), "text": output.text_embeds.numpy()}


LABELS = {0: "cat", 1: "crane", 2: "crane", 3: "dog"}
CASES: dict[str, tuple[Case, Case]] = {
    "clip": (
        Case(
            lambda folder: _clip(folder, side=30, patch=6, end=None),
            _dual("CLIPModel", padding=True),
        ),
        # 2 is what old configurations say: then the largest id ends a text.
        Case(
            lambda folder: _clip(folder, side=33, patch=11, end=2, layers=3),
            _dual("CLIPModel", padding=True),
        ),
    ),
    "siglip": (
        Case(
            lambda folder: _siglip(folder, masked=False), _dual("SiglipModel", padding="max_length")
        ),
        Case(
            lambda folder: _siglip(folder, masked=True), _dual("SiglipModel", padding="max_length")
        ),
    ),
    "dual_encoder": (
        Case(
            lambda folder: _dual_encoder(folder, vision="vit"),
            _dual("VisionTextDualEncoderModel", padding=True, max_length=23),
        ),
        Case(
            lambda folder: _dual_encoder(folder, vision="clip"),
            _dual("VisionTextDualEncoderModel", padding=True, max_length=23),
        ),
    ),
    "vit": (
        Case(
            lambda folder: _vit(folder, kind="ViTForImageClassification", id2label=LABELS),
            _one("ViTForImageClassification", "label", "logits"),
        ),
        Case(
            lambda folder: _vit(folder, kind="DeiTModel"),
            _one("DeiTModel", "image", "pooler_output"),
        ),
    ),
    "dinov2": (
        Case(
            lambda folder: _vit(folder, kind="Dinov2ForImageClassification", id2label=LABELS),
            _one("Dinov2ForImageClassification", "label", "logits"),
        ),
        Case(
            lambda folder: _vit(folder, kind="Dinov2Model"),
            _one("Dinov2Model", "image", "pooler_output"),
        ),
    ),
    "bert": (
        Case(
            lambda folder: _bert(folder, kind="BertForSequenceClassification", id2label=LABELS),
            _text("BertForSequenceClassification", "label", "logits"),
        ),
        Case(
            lambda folder: _bert(folder, kind="BertModel"),
            _text("BertModel", "text", "pooler_output"),
        ),
    ),
    "distilbert": (
        Case(
            lambda folder: _bert(folder, kind="DistilBertForSequenceClassification", num_labels=3),
            _text("DistilBertForSequenceClassification", "label", "logits"),
        ),
        Case(
            lambda folder: _bert(
                folder,
                kind="RobertaForSequenceClassification",
                max_position_embeddings=24,
                num_labels=3,
                pad_token_id=0,
            ),
            _text("RobertaForSequenceClassification", "label", "logits"),
        ),
    ),
    "sentence": (
        Case(lambda folder: _sentence(folder, modes="mean", after="Normalize"), _ask_sentence),
        Case(lambda folder: _sentence(folder, modes=("cls", "max"), after="Dense"), _ask_sentence),
    ),
    "ast": (
        Case(
            lambda folder: _ast(folder, kind="ASTForAudioClassification", id2label=LABELS),
            _sound("ASTForAudioClassification", "label", lambda output: output.logits),
        ),
        Case(
            lambda folder: _ast(folder, kind="ASTModel", frequency_stride=8),
            _sound("ASTModel", "sound", lambda output: output.pooler_output),
        ),
    ),
    "clap": (
        Case(lambda folder: _clap(folder, projection=20, rate=16000, stages=1), _ask_clap),
        Case(lambda folder: _clap(folder, projection=24, rate=24000, stages=2), _ask_clap),
    ),
    "whisper": (
        Case(
            lambda folder: _whisper(folder, kind="WhisperModel"),
            _sound("WhisperModel", "sound", lambda output: output.last_hidden_state.mean(1)),
        ),
        Case(
            lambda folder: _whisper(folder, kind="WhisperForAudioClassification", num_labels=3),
            _sound("WhisperForAudioClassification", "label", lambda output: output.logits),
        ),
    ),
}
