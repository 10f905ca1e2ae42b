"""What a head says is what transformers says of the same decoder, and bad wishes are told."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

import plait
from plait import _core
from tests.cases import caption_bundle
from tests.cases.caption_bundle import BROKEN, END, MAX_LENGTH, PAD, START, VOCABULARY, Captioner

Captions = tuple[Captioner, Path, Any]


@pytest.fixture(scope="module")
def model(captions: Captions) -> plait.Model:
    return plait.load(captions[1], precision="fp32", threads=1)


@pytest.fixture
def sample() -> dict[str, Any]:
    seed = int(np.random.default_rng().integers(1 << 31))
    print(f"seed of the sample: {seed}")
    return caption_bundle.samples(1, seed)[0]


def without_end(ids: list[int], prompt: int = 1) -> list[int]:
    said = ids[prompt:]
    return said[: said.index(END)] if END in said else said


@pytest.mark.parametrize("absent", [None, "left", "right"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"repetition_penalty": 1.7},
        {"beams": 2},
        {"beams": 4, "length_penalty": 0.2},
        {"beams": 3, "length_penalty": 2.0, "repetition_penalty": 1.3},
        {"beams": 5, "length_penalty": -1.0},
    ],
)
def test_tokens_are_those_of_transformers(
    captions: Captions,
    model: plait.Model,
    sample: dict[str, Any],
    absent: str | None,
    options: dict[str, Any],
) -> None:
    if absent:
        sample[absent] = None
    said = model.generate("caption", **sample, max_tokens=15, **options)
    names = {"beams": "num_beams"}
    theirs = {names.get(key, key): value for key, value in options.items()}
    ids = captions[0].original(sample, max_new_tokens=15, do_sample=False, **theirs)
    assert said.tokens == without_end(ids)
    assert said.stopped_by == ("end" if END in ids[1:] else "max_tokens")
    assert said.presence == {n: "absent" if n == absent else "fresh" for n in sample}
    assert len(said.scores) == len(said.tokens)


def test_a_prompt_is_gone_on_from(
    captions: Captions, model: plait.Model, sample: dict[str, Any]
) -> None:
    prompt = [9, 17, 4]
    said = model.generate("caption", **sample, prompt=prompt, max_tokens=9, beams=2)
    ids = captions[0].original(
        sample,
        decoder_input_ids=torch.tensor([[START, *prompt]]),
        max_new_tokens=9,
        do_sample=False,
        num_beams=2,
    )
    assert said.tokens == without_end(ids, prompt=4)
    words = "w5 w13 w0"  # ids begin behind four special tokens
    again = model.generate("caption", **sample, prompt=words, max_tokens=9, beams=2)
    assert again.tokens == said.tokens


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    vocabulary=st.integers(2, 300),
    factors=st.tuples(st.floats(0.1, 4.0), st.floats(0.5, 3.0)),
    top_k=st.integers(0, 40),
    top_p=st.floats(0.05, 1.0),
)
def test_probabilities_are_those_of_transformers_processors(
    seed: int, vocabulary: int, factors: tuple[float, float], top_k: int, top_p: float
) -> None:
    temperature, penalty = factors
    random = np.random.default_rng(seed)
    logits = random.normal(scale=3.0, size=vocabulary).astype(np.float32)
    previous = random.integers(0, vocabulary, size=5)
    options = _core.GenerationOptions()
    options.temperature, options.top_k, options.top_p = temperature, top_k, top_p
    options.repetition_penalty = penalty
    processors = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(penalty)])
    processors.append(TemperatureLogitsWarper(temperature))
    if top_k:
        processors.append(TopKLogitsWarper(top_k))
    processors.append(TopPLogitsWarper(top_p))
    scores = processors(torch.from_numpy(previous)[None], torch.from_numpy(logits)[None])
    expected = torch.softmax(scores[0].double(), dim=0).numpy()
    ours = _core.token_probabilities(logits, previous.tolist(), options)
    # Where the sum meets top_p within float32's rounding, theirs may keep one token more or fewer.
    if np.count_nonzero(ours) == np.count_nonzero(expected):
        np.testing.assert_allclose(ours, expected, rtol=2e-4, atol=1e-6)
    else:
        kept = np.sort(expected)[::-1].cumsum()
        assert np.abs(kept - top_p).min() < 1e-4 or np.abs(ours - expected).max() < 1e-3


def test_the_same_seed_says_the_same_and_draws_follow_the_probabilities(
    model: plait.Model, sample: dict[str, Any]
) -> None:
    answers = model(**sample)

    def draw(seed: int, most: int = 12) -> plait.GeneratedText:
        return model.generate("caption", answers, temperature=1.0, seed=seed, max_tokens=most)

    texts = [draw(seed) for seed in range(40)]
    assert [draw(seed).tokens for seed in range(40)] == [text.tokens for text in texts]
    wild = [
        model.generate("caption", answers, temperature=6.0, seed=seed, max_tokens=12).tokens
        for seed in range(40)
    ]
    assert len(set(map(tuple, wild))) > 1
    count = 3000
    seen: dict[int, tuple[int, float]] = {}
    for seed in range(count):
        one = draw(seed, most=1)
        if one.tokens:
            times, _ = seen.get(one.tokens[0], (0, 0.0))
            seen[one.tokens[0]] = (times + 1, float(np.exp(one.scores[0])))
    for times, probability in seen.values():
        spread = np.sqrt(count * probability * (1.0 - probability))
        assert abs(times - count * probability) < 6.0 * spread + 3.0


def test_stop_texts_are_cut_off_and_pieces_join_to_the_text(
    model: plait.Model, sample: dict[str, Any]
) -> None:
    answers = model(**sample)
    options: dict[str, Any] = {"temperature": 6.0, "max_tokens": 12}
    for seed in range(100):
        options["seed"] = seed
        whole = model.generate("caption", answers, **options)
        if len(whole.text.split()) > 3:
            break
    pieces: list[plait.SaidToken] = []
    told = model.generate("caption", answers, **options, on_token=pieces.append)
    assert "".join(piece.text for piece in pieces) == told.text == whole.text
    assert [piece.id for piece in pieces] == whole.tokens
    word = f" {whole.text.split()[-1]}"
    before = whole.text.index(word)
    pieces.clear()
    stopped = model.generate(
        "caption", answers, **options, stop=["never said", word], on_token=pieces.append
    )
    assert stopped.text == whole.text[:before] == "".join(piece.text for piece in pieces)
    assert stopped.stopped_by == "stop"
    token = model.generate("caption", answers, **options, stop_tokens=[whole.tokens[2]])
    assert token.tokens == whole.tokens[: whole.tokens.index(whole.tokens[2])]
    first = model.generate("caption", answers, **options, on_token=lambda token: False)
    assert (first.tokens, first.stopped_by) == (whole.tokens[:1], "callback")
    with pytest.raises(ZeroDivisionError):
        model.generate("caption", answers, **options, on_token=lambda token: 1 / 0 > 0)


@pytest.mark.parametrize(
    ("options", "kind", "part"),
    [
        ({"max_tokens": MAX_LENGTH + 1}, plait.ConfigError, "the cache holds 24"),
        ({"prompt": [7] * MAX_LENGTH}, plait.SampleError, "at most 24 tokens"),
        ({"prompt": []}, plait.SampleError, "an empty prompt"),
        ({"prompt": ""}, plait.SampleError, "an empty prompt"),
        ({"prompt": [VOCABULARY]}, plait.SampleError, "tokens of 0 to 60"),
        ({"prompt": [-1]}, plait.SampleError, "tokens of 0 to 60"),
        ({"stop_tokens": [VOCABULARY]}, plait.ConfigError, "tokens of 0 to 60"),
        ({"temperature": -1.0}, plait.ConfigError, "temperature"),
        ({"top_k": 3}, plait.ConfigError, "a number above 0 with top_k"),
        ({"top_p": 0.0, "temperature": 1.0}, plait.ConfigError, "top_p"),
        ({"beams": 2, "temperature": 1.0}, plait.ConfigError, "not drawn"),
        ({"beams": 65}, plait.ConfigError, "beams"),
        ({"stop": [""]}, plait.ConfigError, "stop"),
        ({"prompt": [BROKEN]}, plait.BackendError, "got NaN"),
        ({"prompt": [BROKEN], "beams": 2}, plait.BackendError, "got NaN"),
    ],
)
def test_bad_wishes_are_told_and_leave_nothing_behind(
    model: plait.Model,
    sample: dict[str, Any],
    options: dict[str, Any],
    kind: type[Exception],
    part: str,
) -> None:
    answers = model(**sample)
    beams = {"beams": 2} if options.get("beams") == 2 else {}
    before = model.generate("caption", answers, max_tokens=10, **beams)
    with pytest.raises(kind, match=part):
        model.generate("caption", answers, **options)
    assert model.generate("caption", answers, max_tokens=10, **beams).tokens == before.tokens


def test_the_cache_is_used_to_its_last_place(model: plait.Model, sample: dict[str, Any]) -> None:
    answers = model(**sample)
    full = [
        model.generate("caption", answers, max_tokens=MAX_LENGTH, temperature=3.0, seed=seed)
        for seed in range(60)
    ]
    assert any(len(text.tokens) == MAX_LENGTH for text in full)


def test_other_heads_say_nothing(watch_bundle: Path) -> None:
    with pytest.raises(plait.ConfigError, match="the bundle has none"):
        plait.load(watch_bundle)._core.generator("exercise")


def test_doctor_names_the_first_token_that_differs(captions: Captions, tmp_path: Path) -> None:
    from plait.doctor import replay
    from tests.cases.rebundle import rebundle

    assert all(check.ok for check in replay(captions[1], precisions=["fp32"]).checks)
    with zipfile.ZipFile(captions[1]) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    member = manifest["golden"]["cases"][0]["stages"]["tokens:caption"]

    def alter(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[-8 * 3] ^= 1  # the last but two of the ids
        return bytes(changed)

    altered = rebundle(captions[1], tmp_path / "altered.plait", members={member: alter})
    wrong = [check for check in replay(altered, precisions=["fp32"]).checks if not check.ok]
    assert {check.stage for check in wrong} == {"tokens:caption"}
    assert "is the first that differs" in wrong[0].note
    assert manifest["heads"][0]["generation"]["pad"] == PAD


def test_the_pages_snippet_runs(
    captions: Captions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs/generation.md").read_text()
    (tmp_path / "captions.plait").symlink_to(captions[1])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(page.split("```python\n")[1].split("```")[0], "docs/generation.md", "exec"), names)
    assert names["said"].presence == {"left": "fresh", "right": "absent"}
