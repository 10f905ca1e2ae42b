"""`plait export hf:DIRECTORY` and its like: from a model's name on the command line to a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from plait import ConfigError
from plait_export.agreement import agreement
from plait_export.describe import Deployment
from plait_export.export import export_request
from plait_export.lineage import Lineage
from plait_export.progress import Progress
from plait_export.report import ExportReport
from plait_export.request import Request
from plait_export.zoo.adapters.loading import from_transformers
from plait_export.zoo.adapters.open_clip import from_open_clip
from plait_export.zoo.adapters.samples import samples as raw_samples
from plait_export.zoo.adapters.timm import from_timm

_PACKAGES = ("transformers", "sentence-transformers", "timm", "open_clip_torch")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says beside the model.

    samples: a folder, see samples.py; None: those that come along. tokens: that the text encoder
    sees. precisions, engines: as in Request; what is not FP32 is judged by how far it agrees with
    it on every other sample. weights: a file, of libraries that keep no configuration with them.
    """

    samples: Path | None = None
    tokens: int | None = None
    random_weights: bool = False
    weights: Path | None = None
    precisions: Sequence[str] = ("fp32",)
    engines: Sequence[str] = ()


def export_named(
    model: str, output: Path | None, options: Options, progress: Progress | None = None
) -> ExportReport:
    """Writes the bundle of a library's model. Raises ConfigError, ExportError or SampleError.

    model: LIBRARY:NAME.
    """
    library, _, named = model.partition(":")
    if library not in _LIBRARIES or not named:
        raise ConfigError(
            where=model,
            expected=f"a name after one of {', '.join(f'{known}:' for known in _LIBRARIES)}",
            got=repr(model),
            action="docs/models.md says what each takes.",
        )
    _silence()
    deployment = _LIBRARIES[library](named, options)
    request = _request(deployment, options, model=model)
    path = output if output is not None else Path(f"{deployment.name}.plait")
    return export_request(request, path, progress=progress)


def _request(deployment: Deployment, options: Options, model: str) -> Request:
    chosen = raw_samples(deployment, options.samples)
    judged = list(options.precisions) != ["fp32"] or bool(options.engines)
    if judged and len(chosen) < 2:
        raise ConfigError(
            where="--samples",
            expected="at least two samples: some set INT8's ranges, the others judge it",
            got=str(len(chosen)),
            action="Give more, or leave precisions and engines out.",
        )
    return Request(
        deployment,
        samples=chosen[::2] if judged else chosen,
        gate=agreement(deployment, chosen[1::2]) if judged else None,
        precisions=options.precisions,
        engines=options.engines,
        lineage=Lineage(
            training={
                "library": model.partition(":")[0],
                "random_weights": options.random_weights,
            },
            packages=_PACKAGES,
        ),
    )


def _silence() -> None:
    """The bars of transformers: this command has its own."""
    with suppress(ImportError):
        import_module("transformers.utils.logging").disable_progress_bar()


def _transformers(name: str, options: Options) -> Deployment:
    if options.weights is not None:
        raise ConfigError(
            where="--weights",
            expected="no such option with a folder, which holds the weights",
            got=str(options.weights),
            action="Leave it out.",
        )
    return from_transformers(name, tokens=options.tokens, random_weights=options.random_weights)


def _timm(name: str, options: Options) -> Deployment:
    _check_weights(f"timm:{name}", options)
    return from_timm(name, options.weights)


def _open_clip(name: str, options: Options) -> Deployment:
    _check_weights(f"open_clip:{name}", options)
    return from_open_clip(name, options.weights)


def _check_weights(model: str, options: Options) -> None:
    """A file of weights, or random ones: one of the two."""
    if (options.weights is None) != options.random_weights:
        raise ConfigError(
            where=model,
            expected="--weights FILE or --random-weights, one of the two",
            got="both" if options.random_weights else "neither",
            action="Nothing is downloaded: save model.state_dict() into a file.",
        )


# What sentence-transformers wrote has a file that says so.
_LIBRARIES = {
    "hf": _transformers,
    "open_clip": _open_clip,
    "st": _transformers,
    "timm": _timm,
}
