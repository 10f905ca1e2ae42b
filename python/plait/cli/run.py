"""`plait run`: recorded samples in, one JSON line a window out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

import plait
from plait.cli.options import (
    BundleArgument,
    OnnxRuntimeOption,
    SampleOption,
    ThreadsOption,
    check_modality,
    read_samples,
)
from plait.cli.outcome import ExitCode, command
from plait.cli.output import progress, write_json
from plait.sources.recordings import Window, count_windows, cut


@command
def run(
    bundle: BundleArgument,
    *,
    sample: SampleOption = None,
    absent: Annotated[
        list[str] | None,
        typer.Option("--absent", metavar="NAME", help="A modality that there is no sample of."),
    ] = None,
    hop: Annotated[
        int | None,
        typer.Option(
            "--hop",
            min=1,
            help="Samples of the first --sample from one window to the next. Default: a window.",
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="Default: the one the exporter chose.")
    ] = None,
    threads: ThreadsOption = None,
    onnxruntime: OnnxRuntimeOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines, which is what this command prints anyway.")
    ] = True,
) -> ExitCode:
    """Run a bundle on recorded samples; one line of JSON for every window.

    Every modality is named once, with --sample or with --absent. Recordings longer than a window
    are cut into windows; a camera's frame goes with every window.
    """
    manifest = plait.Bundle(bundle).manifest
    missing = dict.fromkeys(absent or ())
    known = {modality["name"]: modality for modality in manifest["modalities"]}
    for name in missing:
        check_modality("--absent", name, known)
    recordings, stills = read_samples(manifest, sample or ())
    given = [*(recording.modality for recording in recordings), *stills]
    for name in known:
        if (name in given) == (name in missing):
            how = "both" if name in missing else "neither"
            raise plait.ConfigError(
                where=f"modality {name}",
                expected="either --sample or --absent",
                got=how,
                action=f"Pass --sample {name}=FILE, or --absent {name} where there is none.",
            )
    if not given:
        raise plait.ConfigError(
            where="plait run",
            expected="at least one --sample",
            got="none",
            action="Pass --sample NAME=FILE.",
        )
    model = plait.load(bundle, precision=precision, threads=threads, onnxruntime=onnxruntime)
    labels = {head["name"]: head.get("labels") or [] for head in manifest["heads"]}
    windows: Iterable[Window] = [Window(0, 0, {})]  # where there are frames only
    total = 1
    if recordings:
        step = hop or recordings[0].window
        windows, total = cut(recordings, step), count_windows(recordings, step)
    # Lines and a bar on one terminal would overwrite each other.
    with progress(wanted=not sys.stdout.isatty()) as report:
        for window in windows:
            samples: dict[str, Any] = {**missing, **stills, **window.samples}
            write_json(_line(window, model(**samples), labels), indent=None)
            report("windows", window.index + 1, total)
    return ExitCode.OK


def _line(
    window: Window, result: plait.Result, labels: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    heads = {name: _answer(result[name], labels[name]) for name in result.heads}
    first = next(iter(heads.values()))
    timings = result.timings
    return {
        "window": window.index,
        "time": window.time_ns / 1e9,
        "label": first["label"],
        "scores": first["scores"],
        "heads": heads,
        "presence": dict(result.presence),
        "timings": {
            "prepare_ns": dict(timings.prepare_ns),
            "encode_ns": dict(timings.encode_ns),
            "fuse_ns": dict(timings.fuse_ns),
            "total_ns": timings.total_ns,
        },
    }


def _answer(answer: plait.Answer, labels: Sequence[str]) -> dict[str, Any]:
    scores = None
    if answer.scores is not None:
        scores = dict(zip(labels, answer.scores.tolist(), strict=True))
    quality = answer.expected_quality
    return {
        "label": answer.label,
        "scores": scores,
        "output": None if answer.output is None else answer.output.tolist(),
        "expected_quality": None
        if quality is None
        else {"metric": quality.metric, "value": quality.value},
    }
