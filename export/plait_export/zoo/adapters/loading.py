"""Finds the adapter of a model of transformers, and loads the model with every weight it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.zoo.adapters.source import Source

# model_type of config.json: the file here that adapts it. Its ARCHITECTURES names the classes.
FAMILIES: Mapping[str, str] = {
    "audio-spectrogram-transformer": "ast",
    "bert": "bert",
    "clap": "clap",
    "clip": "clip",
    "deit": "vit",
    "dinov2": "dinov2",
    "distilbert": "bert",
    "roberta": "bert",
    "siglip": "siglip",
    "vision-text-dual-encoder": "dual_encoder",
    "vit": "vit",
    "whisper": "whisper",
    "xlm-roberta": "bert",
}

Adapt = Callable[[Source, str], Deployment]
_PARTS = ("image_processor", "tokenizer", "feature_extractor")
_MOST_NAMED = 5


def from_transformers(
    model: Any,
    processor: Any = None,
    *,
    name: str | None = None,
    tokens: int | None = None,
    random_weights: bool = False,
) -> Deployment:
    """What a device needs to answer as a model of transformers does.

    model: the folder that save_pretrained or sentence-transformers wrote, or the model itself.
        Nothing is downloaded.
    processor: a processor, image processor, tokenizer or feature extractor, or several in a list;
        None: what lies in the folder.
    name: of the bundle; None: the folder's or the model's.
    tokens: that the text encoder sees; None: as many as tokenizer and model take.
    random_weights: the folder has a config.json; weights are drawn with a fixed seed, and
        processors that are missing are made from it: for speed, not for meaning.

    The deployment's `original` is the library's own way from a raw sample to the answer: exporting
    holds the bundle against it. Frames are bgr8, sounds float32 at the model's rate.

    Raises ConfigError, with the field and the reason, for a model that no adapter represents.
    """
    given = _given(processor)
    if isinstance(model, (str, Path)):
        folder = Path(model)
        if (folder / "modules.json").is_file():
            return _sentence(folder, processor, name, tokens, random_weights=random_weights)
        config = read_config(folder)
        adapt, architecture = find_adapter(config, str(folder))
        loaded = load(folder, config, architecture, random_weights=random_weights)
        source = Source(loaded, folder, given, random_weights, tokens)
        return adapt(source, name or bundle_name(folder.resolve().name))
    config = getattr(model, "config", None)
    if config is None or not hasattr(config, "model_type"):
        raise ConfigError(
            where="from_transformers",
            expected="a model of transformers, or the folder it was saved in",
            got=type(model).__name__,
            action="Describe other modules with plait_export.Deployment.",
        )
    adapt, _ = find_adapter(config, type(model).__name__, type(model).__name__)
    source = Source(model.eval(), None, given, random_weights, tokens)
    return adapt(source, name or bundle_name(config.model_type))


def read_config(folder: Path) -> Any:
    """The configuration in a folder. Raises ConfigError."""
    transformers = require("transformers", f"{folder}")
    if not (folder / "config.json").is_file():
        raise ConfigError(
            where=str(folder),
            expected="a folder with config.json, as save_pretrained writes it",
            got="no such folder" if not folder.is_dir() else "no config.json",
            action="Name the folder of a saved model; nothing is downloaded.",
        )
    try:
        return transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ConfigError(
            where=f"{folder / 'config.json'}, model_type",
            expected=f"a configuration that transformers {transformers.__version__} reads, of "
            f"{', '.join(sorted(FAMILIES))}",
            got=" ".join(str(error).split())[:300],
            action="Check the file, or install a newer transformers.",
        ) from error


def find_adapter(config: Any, where: str, architecture: str | None = None) -> tuple[Adapt, str]:
    """The adapter of a configuration, and the class of transformers it adapts."""
    kind = config.model_type
    if kind not in FAMILIES:
        raise ConfigError(
            where=f"{where}, model_type",
            expected=f"one of {', '.join(sorted(FAMILIES))}",
            got=repr(kind),
            action="Describe the model with plait_export.Deployment; docs/models.md says how "
            "another family is added.",
        )
    module = import_module(f"{__package__}.{FAMILIES[kind]}")
    known: Mapping[str, Adapt] = getattr(module, "ARCHITECTURES")  # noqa: B009
    own = architectures_of(kind, known)
    said = architecture or next(iter(config.architectures or own))
    if said not in own:
        raise ConfigError(
            where=f"{where}, architectures",
            expected=f"{' or '.join(own)} for model_type {kind!r}",
            got=repr(said),
            action="Save the model as one of these classes of transformers.",
        )
    return own[said], said


def architectures_of(kind: str, known: Mapping[str, Adapt]) -> dict[str, Adapt]:
    """Those of a family's classes that are of this model_type, the first the one taken if none is
    named."""
    import transformers

    types = {name: getattr(transformers, name).config_class.model_type for name in known}
    return {name: adapt for name, adapt in known.items() if types[name] == kind}


def load(folder: Path, config: Any, architecture: str, *, random_weights: bool) -> Any:
    """The model in float32, every weight of which is in the folder, and no other."""
    import torch
    import transformers

    kind = getattr(transformers, architecture)
    if random_weights:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return kind(config).float().eval()
    try:
        model, found = kind.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            output_loading_info=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
        )
    except Exception as error:
        raise ConfigError(
            where=str(folder),
            expected=f"the weights of a {architecture}, model.safetensors",
            got=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            action="Save the model there again; random_weights needs none (--random-weights).",
        ) from error
    check_weights(folder, architecture, found)
    return model.eval()


def check_weights(folder: Path, architecture: str, found: Mapping[str, Any]) -> None:
    """Raises ConfigError naming tensors that are missing, left over or of another shape."""
    problems = []
    for what, key in (("missing", "missing_keys"), ("surplus", "unexpected_keys")):
        problems += [f"{what} {name}" for name in sorted(found.get(key) or ())]
    for mismatch in sorted(found.get("mismatched_keys") or (), key=str):
        stored, own = (list(shape) for shape in mismatch[1:3])
        problems.append(f"{mismatch[0]} of shape {stored}, not {own}")
    if problems:
        more = len(problems) - _MOST_NAMED
        raise ConfigError(
            where=f"{folder}, weights",
            expected=f"every tensor of a {architecture}, and no other",
            got=", ".join(problems[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else ""),
            action="Name the class that the weights were saved from in config.json, "
            "'architectures', or save the model again.",
        )


def bundle_name(said: str) -> str:
    """A name that a bundle can bear."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", said).strip("-._") or "model"


def require(package: str, where: str, extra: str = "models") -> Any:
    """An optional package, of one of Plait's extras. Raises ConfigError where it is missing."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ConfigError(
            where=where,
            expected=f"the package {package}",
            got=str(error),
            action=f"pip install 'plait[{extra}]'.",
        ) from error


def _sentence(
    folder: Path, processor: Any, name: str | None, tokens: int | None, *, random_weights: bool
) -> Deployment:
    """A folder of sentence-transformers, which brings all it needs."""
    from plait_export.zoo.adapters.sentence import from_sentence_transformers

    if processor is not None or random_weights:
        raise ConfigError(
            where=f"{folder}, modules.json",
            expected="sentence-transformers with its own weights and tokenizer",
            got="random weights" if random_weights else "another processor",
            action="Export the tower alone: a folder with its config.json only.",
        )
    return from_sentence_transformers(folder, name=name, tokens=tokens)


def _given(processor: Any) -> dict[str, Any]:
    """Processors by what transformers calls them."""
    listed = processor if isinstance(processor, (list, tuple)) else [processor]
    given: dict[str, Any] = {}
    for one in listed:
        if one is None:
            continue
        inner = {part: getattr(one, part, None) for part in _PARTS}
        found = {part: value for part, value in inner.items() if value is not None}
        if not found and hasattr(one, "backend_tokenizer"):
            found = {"tokenizer": one}
        elif not found and hasattr(one, "sampling_rate"):
            found = {"feature_extractor": one}
        elif not found and hasattr(one, "preprocess"):
            found = {"image_processor": one}
        if not found:
            raise ConfigError(
                where="from_transformers, processor",
                expected="a processor, image processor, fast tokenizer or feature extractor",
                got=type(one).__name__,
                action="AutoProcessor.from_pretrained(folder) gives one.",
            )
        given |= found
    return given
