"""A transformers feature extractor to a Sound."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait import ConfigError
from plait_export.checks import is_number
from plait_export.describe.common import WhenMissing
from plait_export.describe.sound import Longer, Shorter, Sound
from plait_export.describe.sound_features import Features, LogMel, Waveform

if TYPE_CHECKING:
    from torch import nn

_FILES = ("preprocessor_config.json", "processor_config.json")
# What says nothing of the features: names, and numbers that follow from others.
_MEANINGLESS = frozenset(
    {
        "feature_extractor_type",
        "processor_class",
        "auto_map",
        "mel_filters",
        "n_samples",
        "nb_max_frames",
        "nb_max_samples",
        "nb_frequency_bins",
        "top_db",  # CLAP's extractor keeps it and does not use it
    }
)


def sound_from_transformers(
    extractor: Any,
    *,
    encoder: nn.Module,
    max_age_ms: float,
    when_missing: WhenMissing,
    window: int | None = None,
    shorter: Shorter | None = None,
    longer: Longer | None = None,
    sensor_rate_hz: float | None = None,
    sensor_channels: int = 1,
    channel: int | None = None,
) -> Sound:
    """A sound's description out of a transformers feature extractor.

    extractor: a WhisperFeatureExtractor, ASTFeatureExtractor, Wav2Vec2FeatureExtractor,
        Speech2TextFeatureExtractor or ClapFeatureExtractor; what its to_dict() gives; or the path
        of a preprocessor_config.json or of its folder, which is read without transformers.
    encoder: a module from the features of one sound: [batch, bands, frames] of Whisper,
        [batch, frames, bands] of the others, [batch, window] of wav2vec 2.0.
    window: samples that the encoder sees; only where the extractor takes any length (wav2vec 2.0,
        Speech2Text).
    shorter, longer: what becomes of sounds that do not fill the window, where the extractor leaves
        it open, or "refuse" where what it does can't be represented. None: as the extractor does.

    Raises ConfigError, with the field and the reason, for what a Sound can't represent exactly.
    """
    fields = _Fields(*_read(extractor))
    read = _READERS[fields.kind](fields, window)
    fields.check_all_read()
    chosen_shorter = _chosen(fields, "shorter", shorter, read.shorter, read.free)
    if fields.masks and chosen_shorter in ("zeros", "pad"):
        raise fields.refuse(
            "return_attention_mask",
            "false, or shorter='refuse'",
            True,
            "An encoder here gets no mask that tells sound from filling.",
        )
    return Sound(
        encoder=encoder,
        features=read.features,
        rate_hz=fields.rate_hz,
        window=read.window,
        max_age_ms=max_age_ms,
        when_missing=when_missing,
        shorter=chosen_shorter,
        longer=_chosen(fields, "longer", longer, read.longer, read.free),
        sensor_rate_hz=sensor_rate_hz,
        sensor_channels=sensor_channels,
        channel=channel,
    )


@dataclass(frozen=True)
class _Read:
    """What an extractor does. shorter, longer: None where a Sound can't do it; free: the extractor
    takes what it gets, and the caller decides."""

    features: Features
    window: int
    shorter: Shorter | None = "refuse"
    longer: Longer | None = "refuse"
    free: bool = False


class _Fields:
    """An extractor's fields, each of which has to be asked for, or be meaningless."""

    def __init__(self, fields: Mapping[str, Any], where: str) -> None:
        self.fields, self.where = fields, where
        self._asked = set(_MEANINGLESS)
        self.kind = str(fields.get("feature_extractor_type"))
        if self.kind not in _READERS:
            raise self.refuse(
                "feature_extractor_type",
                " or ".join(_READERS),
                fields.get("feature_extractor_type"),
                "Describe it with plait_export.Sound, if its features are among those.",
            )
        self.rate_hz = float(self.count("sampling_rate"))
        self.masks = self.one_of("return_attention_mask", (False, True), False)
        # Shorter sounds are filled up behind, with zeros: nothing else is represented.
        self.only("padding_side", "right", "Sounds are filled up behind.")
        self.only("padding_value", 0.0, "Sounds are filled up with zeros.")

    def refuse(self, field: str, expected: str, got: Any, action: str) -> ConfigError:
        return ConfigError(
            where=f"{self.where}, {field}", expected=expected, got=repr(got), action=action
        )

    def take(self, field: str, default: Any = None) -> Any:
        self._asked.add(field)
        return self.fields.get(field, default)

    def only(self, field: str, value: Any, why: str, **default: Any) -> None:
        """The field has this value; default: what the extractor takes where it is left out."""
        got = self.take(field, default.get("default", value))
        if got != value:
            raise self.refuse(field, repr(value), got, why)

    def one_of(self, field: str, values: tuple[Any, ...], default: Any) -> Any:
        got = self.take(field, default)
        if got not in values:
            raise self.refuse(field, " or ".join(map(repr, values)), got, "Correct it.")
        return got

    def count(self, field: str) -> int:
        got = self.take(field)
        if isinstance(got, bool) or not isinstance(got, int) or got < 1:
            raise self.refuse(field, "a whole number above 0", got, "Correct it.")
        return got

    def number(self, field: str) -> float:
        got = self.take(field)
        if not is_number(got):
            raise self.refuse(field, "a finite number", got, "Correct it.")
        return float(got)

    def check_all_read(self) -> None:
        for field, value in self.fields.items():
            if field not in self._asked:
                action = "Remove it where it changes nothing; else it can't be represented."
                raise self.refuse(field, f"only fields that a {self.kind} has", value, action)


def _read(extractor: Any) -> tuple[Mapping[str, Any], str]:
    if isinstance(extractor, Mapping):
        return extractor, "feature extractor"
    if isinstance(extractor, (str, Path)):
        return _read_file(Path(extractor))
    if not hasattr(extractor, "to_dict"):
        raise ConfigError(
            where="sound_from_transformers",
            expected="a feature extractor, its folder, its preprocessor_config.json or its dict",
            got=type(extractor).__name__,
            action="transformers.AutoFeatureExtractor.from_pretrained(...) gives one.",
        )
    return {**extractor.to_dict(), "feature_extractor_type": type(extractor).__name__}, (
        type(extractor).__name__
    )


def _read_file(path: Path) -> tuple[Mapping[str, Any], str]:
    if path.is_dir():
        path = next((path / name for name in _FILES if (path / name).is_file()), path / _FILES[0])
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            where=str(path),
            expected="a preprocessor_config.json",
            got=str(error),
            action="extractor.save_pretrained(folder) writes one.",
        ) from error
    if isinstance(fields, dict):
        fields = fields.get("feature_extractor", fields)
    if not isinstance(fields, dict):
        raise ConfigError(
            where=str(path),
            expected="an object of fields",
            got=type(fields).__name__,
            action="extractor.save_pretrained(folder) writes one.",
        )
    return fields, str(path)


def _chosen(fields: _Fields, what: str, said: Any, own: Any, free: bool) -> Any:
    """What was said, where the extractor leaves it open or it is "refuse"; else its own."""
    if said is None:
        if own is None:
            field, why = ("padding", "repeats") if what == "shorter" else ("truncation", "random")
            raise fields.refuse(
                field,
                f"what a Sound can do with a {what} sound",
                f"{fields.fields.get(field)} ({why})",
                f"Say {what}='refuse' and pass sounds of the window's length.",
            )
        return own
    if not free and said not in ("refuse", own):
        raise fields.refuse(what, f"{own!r} as the extractor, or 'refuse'", said, "Leave it out.")
    return said


def _any_length(fields: _Fields, window: int | None) -> int:
    if window is None:
        raise fields.refuse(
            "window",
            "how many samples the encoder sees",
            window,
            f"A {fields.kind} takes any length: state the one that you deploy.",
        )
    return window


def _own_length(fields: _Fields, window: int | None, own: int) -> int:
    if window not in (None, own):
        raise fields.refuse("window", f"{own}, which the extractor has", window, "Leave it out.")
    return own


def _no_dither(fields: _Fields) -> None:
    fields.only("dither", 0.0, "Dither is random noise: no device could prepare the same.")


def _whisper(fields: _Fields, window: int | None) -> _Read:
    _no_dither(fields)
    fft = fields.count("n_fft")
    own = {"length": fft, "fft": fft, "step": fields.count("hop_length")}
    described = LogMel.whisper(fields.count("feature_size"), **own)
    length = _own_length(fields, window, fields.count("chunk_length") * int(fields.rate_hz))
    return _Read(described, length, "zeros", "first")


def _ast(fields: _Fields, window: int | None) -> _Read:
    fields.only("feature_size", 1, "Sound is one channel here.")
    # At another rate the extractor computes frames of 25 ms or of 400 samples, depending on
    # whether torchaudio is installed.
    fields.only("sampling_rate", 16000, "At other rates its frames depend on what is installed.")
    frames = fields.count("max_length")
    own: dict[str, float] = {"mean": fields.number("mean"), "std": 2.0 * fields.number("std")}
    if not fields.one_of("do_normalize", (False, True), True):
        own = {"mean": 0.0, "std": 1.0}
    described = LogMel.ast(fields.count("num_mel_bins"), frames, **own)
    length = described.length + (frames - 1) * described.step
    return _Read(described, _own_length(fields, window, length), "pad", "first")


def _wav2vec2(fields: _Fields, window: int | None) -> _Read:
    fields.only("feature_size", 1, "Sound is one channel here.")
    standardize = fields.one_of("do_normalize", (False, True), True)
    described = Waveform(standardize=standardize, family="wav2vec2")
    return _Read(described, _any_length(fields, window), free=True)


def _speech_to_text(fields: _Fields, window: int | None) -> _Read:
    _no_dither(fields)
    why = "Each utterance by its own mean and std is not represented: export without it."
    fields.only("do_ceptral_normalize", False, why, default=True)
    for unused in ("normalize_means", "normalize_vars"):
        fields.take(unused)
    fields.only("sampling_rate", 16000, "At other rates its frames depend on what is installed.")
    bins = fields.count("num_mel_bins")
    fields.only("feature_size", bins, "It has to be the number of bands.")
    return _Read(LogMel.kaldi(bins), _any_length(fields, window), free=True)


def _clap(fields: _Fields, window: int | None) -> _Read:
    why = "Fusion stacks random crops: only 'rand_trunc', of sounds that are not longer, is exact."
    fields.only("truncation", "rand_trunc", why, default="fusion")
    fft, bins = fields.count("fft_window_size"), fields.count("feature_size")
    described = LogMel(
        length=fft,
        fft=fft,
        step=fields.count("hop_length"),
        bins=bins,
        low_hz=fields.number("frequency_min"),
        high_hz=fields.number("frequency_max"),
        scale="slaney",
        norm="slaney",
        log="db",
        floor=1e-10,
        layout="NTF",
        family="clap",
    )
    padding = fields.one_of("padding", ("repeatpad", "repeat", "pad"), "repeatpad")
    shorter: Mapping[str, Shorter | None] = {"repeatpad": None, "repeat": "repeat", "pad": "zeros"}
    length = _own_length(fields, window, fields.count("max_length_s") * int(fields.rate_hz))
    return _Read(described, length, shorter[padding], None)


_READERS: Mapping[str, Callable[[_Fields, int | None], _Read]] = {
    "WhisperFeatureExtractor": _whisper,
    "ASTFeatureExtractor": _ast,
    "Wav2Vec2FeatureExtractor": _wav2vec2,
    "Speech2TextFeatureExtractor": _speech_to_text,
    "ClapFeatureExtractor": _clap,
}
