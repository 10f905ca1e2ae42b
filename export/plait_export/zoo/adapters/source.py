"""A model of transformers with all that belongs to it, out of a folder or out of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from plait import ConfigError
from plait_export.describe import Frame, Sound, Text
from plait_export.describe.readers import (
    frame_from_transformers,
    sound_from_transformers,
    text_from_transformers,
)
from plait_export.zoo.adapters import standins

# A prompt does not age; a picture does.
_TEXT_AGE_MS = 86_400_000.0
_PICTURE_AGE_MS = 1000.0

_PADDED_POSITIONS = ("camembert", "clap_text_model", "mpnet", "roberta", "xlm-roberta")
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


@dataclass
class Source:
    """model: of transformers. folder: what it was saved in; None: `given` holds its processors.

    given: processors by what transformers calls them: image_processor, tokenizer,
    feature_extractor. random: what the folder lacks of them is made from the configuration.
    tokens: that a text encoder sees; None: as many as tokenizer and model take.
    """

    model: Any
    folder: Path | None
    given: Mapping[str, Any] = field(default_factory=dict)
    random: bool = False
    tokens: int | None = None

    @property
    def config(self) -> Any:
        return self.model.config

    @cached_property
    def image_processor(self) -> Any:
        # Pillow's arithmetic, which Frame has bit for bit; torchvision's is a grey level off.
        return self._part("image_processor", "AutoImageProcessor", _PROCESSOR_FILES, backend="pil")

    @cached_property
    def tokenizer(self) -> Any:
        return self._part("tokenizer", "AutoTokenizer", _TOKENIZER_FILES)

    @cached_property
    def feature_extractor(self) -> Any:
        return self._part("feature_extractor", "AutoFeatureExtractor", _PROCESSOR_FILES)

    def picture(self, encoder: Any) -> Frame:
        """The camera: what it gives is bgr8 unless a sample says otherwise."""
        return frame_from_transformers(
            self.image_processor,
            encoder=encoder,
            max_age_ms=_PICTURE_AGE_MS,
            when_missing="mask",
        )

    def text(self, encoder: Any, *, mask: bool, longest: int) -> Text:
        """The text; longest: positions that the tower has."""
        stated = self.tokenizer.model_max_length
        tokens = self.tokens or min(stated, longest)
        if tokens > longest:
            raise ConfigError(
                where=f"{self.config.model_type}, tokens",
                expected=f"at most {longest}, the positions of the text tower",
                got=str(tokens),
                action="Pass fewer tokens.",
            )
        return text_from_transformers(
            self.tokenizer,
            encoder=encoder,
            tokens=tokens,
            mask=mask,
            max_age_ms=_TEXT_AGE_MS,
            when_missing="mask",
        )

    def sound(self, encoder: Any) -> Sound:
        """The microphone; a sound that does not fill the window is treated as its extractor does,
        or refused where that is random or unknown to a Sound."""
        extractor = self.feature_extractor
        clap = type(extractor).__name__ == "ClapFeatureExtractor"
        repeats = clap and extractor.padding == "repeatpad"
        described = sound_from_transformers(
            extractor,
            encoder=encoder,
            max_age_ms=1000.0,
            when_missing="mask",
            shorter="refuse" if repeats else None,
            longer="refuse" if clap else None,
        )
        return described

    def _part(self, name: str, auto: str, files: tuple[str, ...], **options: Any) -> Any:
        import transformers

        if name in self.given:
            return self.given[name]
        folder = self.folder
        if folder is not None and any((folder / file).is_file() for file in files):
            try:
                load = getattr(transformers, auto).from_pretrained
                return load(folder, local_files_only=True, **options)
            except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
                raise ConfigError(
                    where=f"{folder}, {name}",
                    expected="what transformers can load",
                    got=f"{type(error).__name__}: {str(error)[:300]}",
                    action="Save it there with save_pretrained.",
                ) from error
        if self.random:
            return getattr(standins, name)(self.config)
        raise ConfigError(
            where=str(folder or "from_transformers"),
            expected=f"the model's {name.replace('_', ' ')}"
            + f", {' or '.join(files)}" * bool(folder),
            got="none",
            action="Save the processor beside the model, or pass processor=.",
        )


def positions(config: Any) -> int:
    """How many tokens a text tower takes: of RoBERTa's kind the first positions are padding's."""
    longest = int(config.max_position_embeddings)
    if config.model_type in _PADDED_POSITIONS:
        longest -= int(config.pad_token_id) + 1
    return longest
