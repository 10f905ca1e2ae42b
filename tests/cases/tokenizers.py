"""Tokenizers of every family, trained here by the library `tokenizers`, and texts to try."""

from __future__ import annotations

import base64
import functools
import io
import json
import pydoc_data.topics
import unicodedata
from collections.abc import Callable

import numpy as np
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

_CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_OTHER_LANGUAGES = (
    "Der schnelle braune Fuchs springt über den faulen Hund. Größe, Straße, Äpfel.",
    "Portez ce vieux whisky au juge blond qui fume. L'été à Noël, cœur, façade.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "快速的棕色狐狸跳过了懒狗。今天天气很好，我们去公园吧。",
    "いろはにほへと ちりぬるを。カタカナ、ひらがな、漢字。",
    "다람쥐 헌 쳇바퀴에 타고파. 한국어 문장입니다.",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر",
    "दीवारबंद जयपुर ऐसी दुनिया है जहां लगभग हर दुकान पर विशाल बोर्ड लगा है",
    "ไก่จิกเด็กตายเด็กตายบนปากโอ่ง",
    "😀 😃 👨‍👩‍👧 🇩🇪 👍🏽 ♥️ 1️⃣ ∑∞≠≤ ½ ² ① ﬁ",
)


@functools.cache
def corpus() -> list[str]:
    """Lines of the documentation that comes with Python, and some of other languages."""
    lines = [line for text in pydoc_data.topics.topics.values() for line in text.splitlines()]
    return lines[:6000] + [line for line in _OTHER_LANGUAGES for _ in range(20)]


def _trained(tokenizer: Tokenizer, trainer: object) -> Tokenizer:
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def gpt2() -> Tokenizer:
    """Byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2500,
        initial_alphabet=alphabet,
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    tokenizer = _trained(tokenizer, trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def clip() -> Tokenizer:
    """Byte-level BPE with an end-of-word suffix, as CLIP's text encoders."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_PATTERN), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2500,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        show_progress=False,
    )
    tokenizer = _trained(tokenizer, trainer)
    start, end = (tokenizer.token_to_id(t) for t in ("<|startoftext|>", "<|endoftext|>"))
    tokenizer.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", end), ("<|startoftext|>", start), add_prefix_space=False
    )
    return tokenizer


def whisper() -> Tokenizer:
    """Byte-level BPE with many added tokens and a template."""
    tokenizer = gpt2()
    names = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in names])
    tokenizer.add_tokens([AddedToken(f"<|{i * 0.02:.2f}|>", normalized=False) for i in range(300)])
    ids = {name: tokenizer.token_to_id(name) for name in ("<|endoftext|>", *names)}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{names[0]} {names[1]} {names[2]} {names[3]} $A <|endoftext|>",
        special_tokens=list(ids.items()),
    )
    return tokenizer


def llama3() -> Tokenizer:
    """Byte-level BPE cut by a regular expression of its own, with ignore_merges."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_LLAMA_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=3000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|begin_of_text|>"],
        show_progress=False,
    )
    tokenizer = _trained(tokenizer, trainer)
    begin = ("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(single=f"{begin[0]} $A", special_tokens=[begin]),
        ]
    )
    return tokenizer


def bert(lowercase: bool = True) -> Tokenizer:
    """WordPiece."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lowercase
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=3000, special_tokens=special, show_progress=False
    )
    tokenizer = _trained(tokenizer, trainer)
    ids = {name: tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]")}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[*ids.items()]
    )
    return tokenizer


def bert_cased() -> Tokenizer:
    """WordPiece that keeps case and accents."""
    return bert(lowercase=False)


@functools.cache
def charsmap() -> str:
    """The precompiled character map of SentencePiece's nmt_nfkc, in base64."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()[:500]),
        model_writer=model,
        vocab_size=200,
        hard_vocab_limit=False,
        character_coverage=0.98,
        minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


def t5() -> Tokenizer:
    """Unigram with SentencePiece's character map and Metaspace, as T5 and XLM-RoBERTa."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(base64.b64decode(charsmap())),
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(Regex(" {2,}"), "▁"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=2500,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer = _trained(tokenizer, trainer)
    end = ("</s>", tokenizer.token_to_id("</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[end])
    return tokenizer


def llama2() -> Tokenizer:
    """BPE with byte fallback after SentencePiece's manner."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=2500,
        special_tokens=special,
        show_progress=False,
        limit_alphabet=120,
        max_token_length=16,
    )
    tokenizer = _trained(tokenizer, trainer)
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = document["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    start = ("<s>", tokenizer.token_to_id("<s>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[start]
    )
    return tokenizer


FAMILIES: dict[str, Callable[[], Tokenizer]] = {
    "gpt2": gpt2,
    "clip": clip,
    "whisper": whisper,
    "llama3": llama3,
    "bert": bert,
    "bert_cased": bert_cased,
    "t5": t5,
    "llama2": llama2,
}


@functools.cache
def by_category() -> dict[str, list[str]]:
    """Every assigned character of Python's Unicode, by category."""
    found: dict[str, list[str]] = {}
    for code in range(0x110000):
        if not 0xD800 <= code < 0xE000:
            found.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    return found


_PIECES = (
    *("'s", "'T", "'ll", "don't", "it's", " n't", "<|endoftext|>", "[MASK]", "</s>", "<unk>"),
    *("▁", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u200b", "\u200d", "\ufeff", "\ufffd"),
    *("\x00", "\x07", "\x85", "é", "e\u0301", "a\u0323\u0307", "a\u0307\u0323", "ß", "İ", "ﬁ"),
    *("각", "각", "가\u11a8", "\u0958", "क्ष", "😀", "👨‍👩‍👧", "🇩🇪🇫🇷", "👍🏽", "1️⃣"),
    *("<0x0A>", "##ing", "a" * 70, "ab" * 120, "0" * 40, "!?" * 20, " " * 9, "Ⅷ", "½", "٣"),
    *(
        "\u180e",
        "\u2028",
        "\ua7cb",
        "\U00010d40",
        "\U00016ea0",
        "\U0001ccf0",
        "\u1c89",
        "\U000e0041",
    ),
)


def random_text(random: np.random.Generator) -> str:
    """A text of anything: words of the corpus, characters of every category, oddities."""
    lines, categories = corpus(), by_category()
    names = sorted(categories)
    parts = []
    for _ in range(int(random.integers(0, 12))):
        choice = int(random.integers(0, 10))
        if choice < 3:
            line = lines[int(random.integers(0, len(lines)))]
            start = int(random.integers(0, len(line) + 1))
            parts.append(line[start : start + int(random.integers(0, 30))])
        elif choice < 7:
            for _ in range(int(random.integers(1, 6))):
                characters = categories[names[int(random.integers(0, len(names)))]]
                parts.append(characters[int(random.integers(0, len(characters)))])
        elif choice < 9:
            parts.append(_PIECES[int(random.integers(0, len(_PIECES)))])
        else:
            parts.append(" " * int(random.integers(1, 3)))
    return "".join(parts)
