"""Options that several commands share, and what they mean for a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from plait import ConfigError, Frame
from plait.cli.stills import read_still
from plait.sources.recordings import Recording, read_recording

BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .plait file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Threads a graph runs on. Default: every usable CPU."),
]
OnnxRuntimeOption = Annotated[
    Path | None,
    typer.Option("--onnxruntime", metavar="FILE", help="The libonnxruntime.so to use."),
]
SampleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sample",
        metavar="NAME=FILE",
        help="A recording of modality NAME: a .csv with a header, or a .npy [time, channels]. Of a "
        "camera: one picture, or a .npy in its format.",
    ),
]


def read_samples(
    manifest: Mapping[str, Any], samples: Sequence[str]
) -> tuple[list[Recording], dict[str, Frame]]:
    """The recordings of `--sample NAME=FILE ...` in the order given, and the frames by modality.

    Raises ConfigError for another form, an unknown or repeated name, SampleError for a file that
    doesn't fit.
    """
    modalities = {m["name"]: m for m in manifest["modalities"]}
    files: dict[str, Path] = {}
    for text in samples:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            raise ConfigError(
                where="--sample",
                expected="NAME=FILE",
                got=repr(text),
                action="Write for instance accelerometer=acc.csv.",
            )
        check_modality("--sample", name, modalities)
        if name in files:
            raise ConfigError(
                where="--sample",
                expected="each modality once",
                got=f"{name} twice",
                action="Drop one.",
            )
        files[name] = Path(file)
    recordings: list[Recording] = []
    stills: dict[str, Frame] = {}
    for name, path in files.items():
        if modalities[name]["kind"] == "frame":
            stills[name] = read_still(path, name, modalities[name]["frame"])
        else:
            recordings.append(read_recording(path, name, modalities[name]["signal"]))
    return recordings, stills


def check_modality(option: str, name: str, known: Mapping[str, Any]) -> None:
    """Raises ConfigError for a modality that the bundle does not have."""
    if name not in known:
        raise ConfigError(
            where=option,
            expected=f"one of {', '.join(known)}",
            got=name,
            action="`plait inspect BUNDLE` shows a bundle's modalities.",
        )
