"""transformers' feature extractors become descriptions that prepare the same, or are refused."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import transformers
from numpy.typing import NDArray

import plait
from plait_export import Sound, reference
from plait_export.describe.readers import sound_from_transformers
from tests.cases.sound_bundle import SoundEncoder
from tests.cases.sounds import at_16_khz, film, model_of, prompt

pytestmark = pytest.mark.filterwarnings("ignore")
KEPT: dict[str, Any] = {
    "encoder": SoundEncoder(80, 4),
    "max_age_ms": 1000.0,
    "when_missing": "mask",
}


def read(extractor: Any, **said: Any) -> Sound:
    described = sound_from_transformers(extractor, **{**KEPT, **said})
    described.check("microphone")
    return described


def extracted(extractor: Any, values: NDArray[Any], **options: Any) -> NDArray[Any]:
    rate = extractor.sampling_rate
    found = extractor(values, sampling_rate=rate, return_tensors="np", **options)
    first: NDArray[Any] = np.asarray(next(iter(found.values()))[0])
    return first


def assert_same(described: Sound, extractor: Any, values: NDArray[Any], **options: Any) -> None:
    """The core and the reference prepare what the extractor does."""
    with TemporaryDirectory() as folder:
        prepared = model_of(Path(folder) / "ear.plait", ear=described).prepare("ear", values)[0]
    expected = extracted(extractor, values, **options).reshape(prepared.shape)
    for ours in (prepared, reference.prepare(described, values)[0]):
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize(
    ("extractor", "said"),
    [
        (transformers.WhisperFeatureExtractor(), {}),
        (transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=7), {}),
        (transformers.WhisperFeatureExtractor(n_fft=512, hop_length=200, chunk_length=3), {}),
        (transformers.ASTFeatureExtractor(), {}),
        (transformers.ASTFeatureExtractor(num_mel_bins=64, max_length=97), {}),
        (transformers.ASTFeatureExtractor(do_normalize=False), {}),
        (transformers.ASTFeatureExtractor(mean=-3.0, std=2.0), {}),
    ],
    ids=lambda value: getattr(value, "__class__", type(value)).__name__,
)
def test_sounds_of_any_length_are_prepared_as_by_the_extractor(
    extractor: Any, said: dict[str, Any], generator: np.random.Generator
) -> None:
    described = read(extractor, **said)
    scene = at_16_khz(film()[60_000:, 1], 48000)
    assert_same(described, extractor, scene)
    assert_same(described, extractor, scene[: int(generator.integers(2_000, 30_000))])
    noise = generator.normal(0.0, 0.2, described.samples + 999).astype(np.float32)
    assert_same(described, extractor, noise)


@pytest.mark.parametrize("do_normalize", [True, False])
def test_waveforms_are_prepared_as_by_wav2vec2(
    do_normalize: bool, generator: np.random.Generator
) -> None:
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize)
    speech = prompt(generator)
    whole = read(extractor, window=len(speech))
    assert_same(whole, extractor, speech)
    filled = read(extractor, window=len(speech) + 501, shorter="zeros")
    assert_same(filled, extractor, speech, padding="max_length", max_length=len(speech) + 501)


def test_speech_to_text_without_its_normalisation_is_kaldis_fbank(
    generator: np.random.Generator,
) -> None:
    extractor = transformers.Speech2TextFeatureExtractor(do_ceptral_normalize=False)
    scene = at_16_khz(film()[60_000:, 0], 48000)
    assert_same(read(extractor, window=len(scene)), extractor, scene)


def test_clap_without_fusion_is_read(generator: np.random.Generator) -> None:
    for padding, count in (("repeat", 5_001), ("pad", 30_003), ("repeatpad", 96_000)):
        extractor = transformers.ClapFeatureExtractor(
            truncation="rand_trunc", padding=padding, max_length_s=2, frequency_max=14000
        )
        shorter = {"shorter": "refuse"} if padding == "repeatpad" else {}
        described = read(extractor, longer="refuse", **shorter)
        values = generator.normal(0.0, 0.1, count).astype(np.float32)
        assert_same(described, extractor, values)


def test_a_folder_a_file_and_a_dict_say_the_same(tmp_path: Path) -> None:
    extractor = transformers.WhisperFeatureExtractor(feature_size=128)
    extractor.save_pretrained(tmp_path)
    said = json.loads((tmp_path / "preprocessor_config.json").read_text())
    expected = read(extractor)
    for given in (tmp_path, str(tmp_path), tmp_path / "preprocessor_config.json", said):
        assert read(given) == expected
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "processor_config.json").write_text(json.dumps({"feature_extractor": said}))
    assert read(whole) == expected


def test_the_microphone_is_the_callers() -> None:
    extractor = transformers.WhisperFeatureExtractor()
    described = read(extractor, sensor_rate_hz=48000, sensor_channels=2, channel=1)
    assert (described.raw_rate_hz, described.sensor_channels, described.channel) == (48000, 2, 1)


WHISPER = transformers.WhisperFeatureExtractor().to_dict()
CLAP = transformers.ClapFeatureExtractor().to_dict()
WAV2VEC2 = transformers.Wav2Vec2FeatureExtractor().to_dict()


@pytest.mark.parametrize(
    ("fields", "said", "field"),
    [
        ({**WHISPER, "dither": 1e-5}, {}, "dither"),
        ({**WHISPER, "padding_value": 0.5}, {}, "padding_value"),
        ({**WHISPER, "padding_side": "left"}, {}, "padding_side"),
        ({**WHISPER, "return_attention_mask": True}, {}, "return_attention_mask"),
        ({**WHISPER, "n_fft": "400"}, {}, "n_fft"),
        ({**WHISPER, "hop_length": 0}, {}, "hop_length"),
        ({**WHISPER, "spectral_gate": 3}, {}, "spectral_gate"),
        ({"sampling_rate": 16000}, {}, "feature_extractor_type"),
        (WHISPER, {"window": 16000}, "window"),
        (WHISPER, {"shorter": "repeat"}, "shorter"),
        (WHISPER, {"longer": "last"}, "longer"),
        (WAV2VEC2, {}, "window"),
        ({**WAV2VEC2, "feature_size": 2}, {"window": 9}, "feature_size"),
        ({**WAV2VEC2, "return_attention_mask": True}, {"window": 9, "shorter": "zeros"}, "mask"),
        (transformers.ASTFeatureExtractor(sampling_rate=8000), {}, "sampling_rate"),
        (transformers.Speech2TextFeatureExtractor(), {"window": 9000}, "do_ceptral_normalize"),
        (CLAP, {}, "truncation"),
        ({**CLAP, "truncation": "rand_trunc"}, {"longer": "refuse"}, "padding"),
        ({**CLAP, "truncation": "rand_trunc", "padding": "pad"}, {}, "truncation"),
        (transformers.SeamlessM4TFeatureExtractor(), {}, "feature_extractor_type"),
    ],
)  # fmt: skip
def test_what_cannot_be_represented_is_refused_with_its_field(
    fields: Any, said: dict[str, Any], field: str
) -> None:
    with pytest.raises(plait.ConfigError) as refusal:
        read(fields, **said)
    assert field in refusal.value.where
    assert all((refusal.value.expected, refusal.value.got, refusal.value.action))


def test_a_mask_that_is_all_ones_is_no_reason_to_refuse() -> None:
    described = read({**WAV2VEC2, "return_attention_mask": True}, window=1600)
    assert described.shorter == described.longer == "refuse"


def test_what_is_no_extractor_is_refused(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text("[1]")
    for given in (None, 3, tmp_path, tmp_path / "missing", tmp_path / "preprocessor_config.json"):
        with pytest.raises(plait.ConfigError):
            read(given)
