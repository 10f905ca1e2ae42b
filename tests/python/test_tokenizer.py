"""The core's tokenizer against the library `tokenizers`: identical ids, identical texts."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers as library
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

import plait
from tests.cases import tokenizers

TEXTS = 20_000
OTHER_TEXTS = 1500


@pytest.fixture(scope="module", params=sorted(tokenizers.FAMILIES))
def reference(request: pytest.FixtureRequest) -> library.Tokenizer:
    return tokenizers.FAMILIES[request.param]()


@pytest.fixture
def seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0])


def ours_of(reference: library.Tokenizer) -> plait.Tokenizer:
    return plait.Tokenizer(reference.to_str().encode())


def assert_same_ids(
    ours: plait.Tokenizer, reference: library.Tokenizer, text: str, hint: str
) -> list[int]:
    for special in (False, True):
        expected = reference.encode(text, add_special_tokens=special).ids
        got = ours.encode(text, special_tokens=special)
        assert got == expected, f"{hint}, text {text!a}"
    return expected


def assert_same_text(
    ours: plait.Tokenizer, reference: library.Tokenizer, ids: list[int], hint: str
) -> None:
    for skip in (False, True):
        expected = reference.decode(ids, skip_special_tokens=skip)
        assert ours.decode(ids, skip_special_tokens=skip) == expected, f"{hint}, ids {ids}"


def test_ids_and_decoding_equal_the_library(reference: library.Tokenizer, seed: int) -> None:
    ours = ours_of(reference)
    random = np.random.default_rng(seed)
    beyond = reference.get_vocab_size() + 3
    for index in range(TEXTS):
        ids = assert_same_ids(ours, reference, tokenizers.random_text(random), f"seed {seed}")
        if index % 2:
            ids = [int(i) for i in random.integers(0, beyond, int(random.integers(0, 12)))]
        assert_same_text(ours, reference, ids, f"seed {seed}")


def test_every_character_equals_the_library(reference: library.Tokenizer) -> None:
    ours = ours_of(reference)
    characters = [c for of in tokenizers.by_category().values() for c in of if ord(c) < 0x20000]
    step = 37
    for start in range(0, len(characters), step):
        text = " x".join(characters[start : start + step])
        assert_same_ids(ours, reference, text, "every character")


def test_vocabulary_equals_the_library(reference: library.Tokenizer) -> None:
    ours = ours_of(reference)
    assert len(ours) == reference.get_vocab_size()
    for token, id in reference.get_vocab().items():
        assert ours.token_to_id(token) == id
        assert ours.id_to_token(id) == token
    assert ours.token_to_id("no such token") is None
    assert ours.id_to_token(1 << 30) is None


def word_level(**parts: Any) -> library.Tokenizer:
    """A tokenizer whose ids tell its words apart: one for every character and some pairs."""
    characters = {c for text in tokenizers.corpus()[-200:] for c in text} | set("ab 1.-'\"!▁")
    words = [*sorted(characters), "ab", "a b", "11", "...", "don't"]
    vocabulary = {word: id for id, word in enumerate(["[UNK]", *words])}
    tokenizer = library.Tokenizer(models.BPE(vocabulary, [], unk_token="[UNK]"))
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return tokenizer


SPLITS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
PARTS: dict[str, dict[str, Any]] = {
    **{
        name: {"normalizer": getattr(normalizers, name)()}
        for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")
    },
    "strip": {"normalizer": normalizers.Strip(left=True, right=False)},
    "prepend": {"normalizer": normalizers.Prepend("ab")},
    "replace": {"normalizer": normalizers.Replace(Regex(r"\s+|a*"), "b")},
    "no accents but marks": {
        "normalizer": normalizers.BertNormalizer(
            clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False
        )
    },
    "whitespace": {"pre_tokenizer": pre_tokenizers.Whitespace()},
    "whitespace split": {"pre_tokenizer": pre_tokenizers.WhitespaceSplit()},
    "bert": {"pre_tokenizer": pre_tokenizers.BertPreTokenizer()},
    "digits": {"pre_tokenizer": pre_tokenizers.Digits(individual_digits=False)},
    "each digit": {"pre_tokenizer": pre_tokenizers.Digits(individual_digits=True)},
    "byte level with a space": {"pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=True)},
    **{
        f"metaspace {scheme} {split}": {
            "pre_tokenizer": pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Punctuation("isolated"),
                    pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split),
                ]
            )
        }
        for scheme in ("always", "first", "never")
        for split in (True, False)
    },
    **{f"punctuation {b}": {"pre_tokenizer": pre_tokenizers.Punctuation(b)} for b in SPLITS},
    **{
        f"split {pattern} {behavior} {invert}": {
            "pre_tokenizer": pre_tokenizers.Split(Regex(pattern), behavior, invert=invert)
        }
        for pattern in (
            r"\s+", r"\w+", r"[\w']+|\W", r"(?i:AB)+", r"\p{N}{1,3}", r"\h\h|\d", r"^.|.$", r"x*",
            r"[\p{Lu}\p{M}]+[\p{Ll}]*(?=\s)", r"\S\S(?!\s)", r"\p{Han}+|[^\S\n]", r"\u0061|\x62",
        )
        for behavior in SPLITS[:2]
        for invert in (True, False)
    },
    **{
        f"split a {behavior} {invert}": {
            "pre_tokenizer": pre_tokenizers.Split("a", behavior, invert=invert)
        }
        for behavior in SPLITS
        for invert in (True, False)
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PARTS))
def test_each_part_alone_equals_the_library(name: str, seed: int) -> None:
    """Ids of words, which show where a text was cut: a mark is put between them."""
    parts = PARTS[name]
    reference = word_level(**parts)
    # End-of-word marks make the cuts visible in the ids.
    document = json.loads(reference.to_str())
    vocabulary = document["model"]["vocab"]
    for token in list(vocabulary):
        vocabulary[token + "</w>"] = len(vocabulary)
    document["model"]["end_of_word_suffix"] = "</w>"
    reference = library.Tokenizer.from_str(json.dumps(document))
    ours = ours_of(reference)
    random = np.random.default_rng(seed)
    for _ in range(OTHER_TEXTS):
        assert_same_ids(ours, reference, tokenizers.random_text(random), f"{name}, seed {seed}")


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("flag", ["none", "lstrip", "rstrip", "single_word"])
def test_added_tokens_equal_the_library(flag: str, normalized: bool, seed: int) -> None:
    reference = tokenizers.bert()
    flags = {} if flag == "none" else {flag: True}
    for content in ("Don't", "É", "ab", "a", "!", "  "):
        token = library.AddedToken(content, normalized=normalized, **flags)
        reference.add_tokens([token])
    ours = ours_of(reference)
    random = np.random.default_rng(seed)
    for _ in range(OTHER_TEXTS):
        text = tokenizers.random_text(random)
        place = int(random.integers(0, len(text) + 1))
        text = text[:place] + " Don't  É ab aab!" + text[place:]
        ids = assert_same_ids(ours, reference, text, f"seed {seed}")
        assert_same_text(ours, reference, ids, f"seed {seed}")


DECODERS: dict[str, Any] = {
    "none": None,
    "wordpiece": decoders.WordPiece("##", cleanup=True),
    "bpe": decoders.BPEDecoder("</w>"),
    "metaspace": decoders.Metaspace(prepend_scheme="never"),
    "replace": decoders.Sequence([decoders.Replace(Regex("[aeiou]+|x*"), "_"), decoders.Fuse()]),
    "fallback": decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()]),
    "strip": decoders.Sequence([decoders.Fuse(), decoders.Strip("a", 2, 0)]),
}


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_each_decoder_equals_the_library(name: str, seed: int) -> None:
    reference = tokenizers.llama2()
    reference.add_tokens(["do n't", " . ", " ' ", "##a</w>", "<0xZZ>", "aab", "▁▁ x"])
    if DECODERS[name] is None:
        document = json.loads(reference.to_str())
        document["decoder"] = None
        reference = library.Tokenizer.from_str(json.dumps(document))
    else:
        reference.decoder = DECODERS[name]
    ours = ours_of(reference)
    random = np.random.default_rng(seed)
    size = reference.get_vocab_size()
    for _ in range(OTHER_TEXTS):
        ids = [int(i) for i in random.integers(0, size, int(random.integers(1, 9)))]
        ids += [int(i) for i in random.integers(size - 7, size, 3)]
        assert_same_text(ours, reference, ids, f"seed {seed}")


def test_long_words_take_no_quadratic_time(reference: library.Tokenizer) -> None:
    """A word of a million letters is done at all, and right."""
    text = "ab" * 500_000
    assert ours_of(reference).encode(text) == reference.encode(text).ids


def test_threads_share_a_tokenizer(reference: library.Tokenizer, seed: int) -> None:
    ours = ours_of(reference)
    random = np.random.default_rng(seed)
    texts = [tokenizers.random_text(random) for _ in range(300)]
    expected = [reference.encode(text).ids for text in texts]
    wrong: list[int] = []

    def work(offset: int) -> None:
        for i in range(len(texts)):
            index = (i + offset) % len(texts)
            if ours.encode(texts[index]) != expected[index]:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(i * 70,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, f"seed {seed}"


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(plait.SampleError, match="lone surrogate"):
        ours_of(tokenizers.bert()).encode("a\ud800")


def altered(change: Any) -> bytes:
    document = json.loads(tokenizers.bert().to_str())
    change(document)
    return json.dumps(document).encode()


REFUSED = {
    "UnicodeScripts": lambda d: d.update(pre_tokenizer={"type": "UnicodeScripts"}),
    "CTC": lambda d: d.update(decoder={"type": "CTC"}),
    "one of 'BPE', 'WordPiece'": lambda d: d["model"].update(type="Magic"),
    "a token of the vocabulary": lambda d: d["model"].update(unk_token="no such token"),
    "each id once": lambda d: d["model"]["vocab"].update({"twice": 7}),
    "an id from 0": lambda d: d["model"]["vocab"].update({"far": 1 << 40}),
    "tokens of at most": lambda d: d["model"]["vocab"].update({"x" * 100_000: 9999}),
    "a field 'model'": lambda d: d.pop("model"),
    r"the escape '\b'": lambda d: d.update(
        normalizer={"type": "Replace", "pattern": {"Regex": r"\bx"}, "content": ""}
    ),
    "of which it says": lambda d: d.update(
        normalizer={"type": "Replace", "pattern": {"Regex": "(x"}, "content": ""}
    ),
    "no base64": lambda d: d.update(
        normalizer={"type": "Precompiled", "precompiled_charsmap": "????"}
    ),
}


@pytest.mark.parametrize("said", sorted(REFUSED))
def test_what_is_not_supported_is_refused_by_name(said: str) -> None:
    with pytest.raises(plait.BundleError, match=re.escape(said)):
        plait.Tokenizer(altered(REFUSED[said]))


def test_hostile_files_are_refused() -> None:
    for json_text in (b"", b"[" * 1_000_000, b'{"model": ' * 50, b"\xff", b"{}"):
        with pytest.raises(plait.BundleError):
            plait.Tokenizer(json_text)


def test_a_pattern_that_explodes_is_stopped() -> None:
    pattern = {"type": "Replace", "pattern": {"Regex": "(?:a|aa)+c"}, "content": ""}
    ours = plait.Tokenizer(altered(lambda d: d.update(normalizer=pattern)))
    with pytest.raises(plait.SampleError, match="million steps"):
        ours.encode("a" * 5000 + " c")


def test_a_path_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    reference = tokenizers.gpt2()
    reference.save(str(path))
    assert plait.Tokenizer(path).encode("a cat") == reference.encode("a cat").ids
    with pytest.raises(plait.BundleError, match=r"none\.json"):
        plait.Tokenizer(tmp_path / "none.json")


def test_the_snippet_of_the_docs_runs(
    reference: library.Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).parents[2] / "docs" / "sensors.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    (snippet,) = (one for one in snippets if "plait.Tokenizer(" in one)
    reference.save(str(tmp_path / "tokenizer.json"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(snippet, str(page), "exec"), names)  # the page's own words
    assert names["ids"] == reference.encode("a photo of a dog").ids
    assert names["text"] == reference.decode(names["ids"], skip_special_tokens=True)
