"""check_preparation on sounds and signals: the originals of other libraries beside the core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import transformers
from torch import nn

from plait import ConfigError
from plait_export import (
    ExportError,
    LogMel,
    Signal,
    Sound,
    Text,
    check_preparation,
    sound_from_transformers,
)
from tests.cases import tokenizers
from tests.cases.sounds import prompt

SAID: dict[str, Any] = {"encoder": nn.Flatten(), "max_age_ms": 100.0, "when_missing": "mask"}


@pytest.fixture
def speech(generator: np.random.Generator) -> list[Any]:
    """Recorded prompts at 16 kHz."""
    return [
        librosa.resample(prompt(generator), orig_sr=8000, target_sr=16000).astype(np.float32)
        for _ in range(3)
    ]


@pytest.mark.parametrize(
    "make",
    [
        transformers.WhisperFeatureExtractor,
        lambda: transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=9),
        transformers.ASTFeatureExtractor,
    ],
)
def test_a_feature_extractor_is_matched_on_speech(make: Any, speech: list[Any]) -> None:
    extractor = make()
    described = sound_from_transformers(extractor, **SAID)
    report = check_preparation(described, extractor, speech)
    assert report.max_error < 1e-3, report
    report.require()


def test_another_family_is_found_out(speech: list[Any]) -> None:
    extractor = transformers.WhisperFeatureExtractor()
    wrong = Sound(
        features=LogMel.whisper(scale="htk"), window=480000, shorter="zeros", longer="first", **SAID
    )
    report = check_preparation(wrong, extractor, speech)
    assert not report.ok
    with pytest.raises(ExportError, match="preparation, sample"):
        report.require()
    with pytest.raises(ConfigError, match="shape"):
        check_preparation(wrong, lambda values: values, speech)


def test_a_signals_original_is_matched(generator: np.random.Generator) -> None:
    windows = [generator.normal(9.81, 2.0, (40, 3)).astype(np.float32) for _ in range(5)]
    described = Signal(
        channels=3, unit="m/s^2", rate_hz=50, window=40, mean=(9.81,) * 3, std=(2.0,) * 3, **SAID
    )
    report = check_preparation(described, lambda window: (window.T - 9.81) / 2.0, windows)
    report.require()
    swapped = check_preparation(described, lambda window: (window.T[::-1] - 9.81) / 2.0, windows)
    assert not swapped.ok and swapped.max_error > 0.1


@pytest.mark.parametrize("mask", [False, True])
def test_a_tokenizer_is_matched_id_by_id(
    tmp_path: Path, generator: np.random.Generator, mask: bool
) -> None:
    bert = tokenizers.bert()
    bert.save(str(tmp_path / "tokenizer.json"))
    original = transformers.PreTrainedTokenizerFast(tokenizer_object=bert, pad_token="[PAD]")
    texts = [tokenizers.random_text(generator) for _ in range(20)]
    said = {"tokenizer": tmp_path, "tokens": 17, "mask": mask, **SAID}
    described = Text(pad_id=bert.token_to_id("[PAD]"), **said)
    report = check_preparation(described, original, texts)
    assert (report.max_error, report.unit) == (0.0, "ids")
    wrong = Text(pad_id=bert.token_to_id("[UNK]"), **said)
    assert not check_preparation(wrong, original, ["short"]).ok
