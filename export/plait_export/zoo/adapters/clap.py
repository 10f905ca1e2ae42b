"""CLAP: a sound and a text in one space (Wu et al., 2023)."""

from __future__ import annotations

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.zoo.adapters.contrastive import Side, deployment
from plait_export.zoo.adapters.library import sound_input, text_input
from plait_export.zoo.adapters.parts import Pooled
from plait_export.zoo.adapters.source import Source, positions


def clap(source: Source, name: str) -> Deployment:
    """ClapModel without fusion, of sounds as long as its window: what its extractor does with
    others is random, or not known to a Sound."""
    model = source.model
    if model.config.audio_config.enable_fusion:
        raise ConfigError(
            where="clap, audio_config.enable_fusion",
            expected="false: fusion takes random parts of longer sounds",
            got="true",
            action="Take a checkpoint without fusion, for instance clap-htsat-unfused.",
        )
    text = source.text(
        Pooled(model.text_model, "input_ids"),
        mask=True,
        longest=positions(model.config.text_config),
    )
    return deployment(
        source,
        name,
        {
            "sound": Side(
                modality=source.sound(Pooled(model.audio_model, "input_features", channel=True)),
                tower=model.audio_model,
                projection=model.audio_projection,
                prepare=sound_input(source.feature_extractor),
                answer="audio_embeds",
                scale=float(model.logit_scale_a.detach().exp()),
            ),
            "text": Side(
                modality=text,
                tower=model.text_model,
                projection=model.text_projection,
                prepare=text_input(source.tokenizer, text.tokens),
                answer="text_embeds",
                scale=float(model.logit_scale_t.detach().exp()),
            ),
        },
    )


ARCHITECTURES = {"ClapModel": clap}
