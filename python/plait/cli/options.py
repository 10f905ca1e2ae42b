"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .plait file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Threads a graph runs on. Default: every usable CPU."),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto, cpu, tensorrt (engines of `plait build`), cuda or cuda-tensorrt (providers of "
        "an ONNX Runtime that has them).",
    ),
]
EngineCacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Another cache than $PLAIT_ENGINE_CACHE, or else ~/.cache/plait/engines.",
    ),
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
        help="A recording of modality NAME. Signal: a .csv with a header, or a .npy [time, "
        "channels]. Camera: one picture, or a .npy in its format. Sound: .wav, .flac, .ogg, or a "
        ".npy. Text: a UTF-8 file. Points: .npy, .bin, .pcd.",
    ),
]
CameraOption = Annotated[
    list[str] | None,
    typer.Option(
        "--camera",
        metavar="[NAME=]DEVICE",
        help="A live camera: 0, 1, ... or /dev/video0. NAME where there are several modalities.",
    ),
]
VideoOption = Annotated[
    list[str] | None,
    typer.Option(
        "--video", metavar="[NAME=]FILE", help="A video's pictures, and its sound without --wav."
    ),
]
WavOption = Annotated[
    list[str] | None,
    typer.Option("--wav", metavar="[NAME=]FILE", help="A sound file: .wav, .flac, .ogg, ..."),
]
ImageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--image",
        metavar="[NAME=]FILE",
        help="A picture for every answer, or a folder: its pictures one after the other.",
    ),
]
TextOption = Annotated[
    list[str] | None, typer.Option("--text", metavar="[NAME=]WORDS", help="A text.")
]
PointsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--points",
        metavar="[NAME=]FILE",
        help="A point cloud for every answer (.npy, .bin, .pcd), or a folder: one after the other.",
    ),
]
AbsentOption = Annotated[
    list[str] | None,
    typer.Option("--absent", metavar="NAME", help="A modality that there is no sample of."),
]
