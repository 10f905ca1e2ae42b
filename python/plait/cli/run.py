"""`plait run`: samples of files and devices in, one JSON line an answer out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

import plait
from plait.cli.feeds import Feeds, Given, open_feeds
from plait.cli.moments import Moment, expected_count, moments
from plait.cli.options import (
    AbsentOption,
    BundleArgument,
    CameraOption,
    DeviceOption,
    ImageOption,
    OnnxRuntimeOption,
    PointsOption,
    SampleOption,
    TextOption,
    ThreadsOption,
    VideoOption,
    WavOption,
)
from plait.cli.outcome import ExitCode, command
from plait.cli.output import progress, write_json
from plait.cli.tracks import FrameTrack, SignalTrack


@command
def run(
    bundle: BundleArgument,
    *,
    sample: SampleOption = None,
    camera: CameraOption = None,
    video: VideoOption = None,
    wav: WavOption = None,
    image: ImageOption = None,
    text: TextOption = None,
    points: PointsOption = None,
    absent: AbsentOption = None,
    every: Annotated[
        float | None,
        typer.Option(
            "--every",
            min=0.001,
            metavar="SECONDS",
            help="From one answer to the next. Default: --hop, else each picture.",
        ),
    ] = None,
    hop: Annotated[
        int | None,
        typer.Option(
            "--hop",
            min=1,
            help="The same, in samples of the first signal. Default: a window of it.",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, help="Print the N highest scores, not all, and no logits."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="Default: the one the exporter chose.")
    ] = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    onnxruntime: OnnxRuntimeOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines, which is what this command prints anyway.")
    ] = True,
) -> ExitCode:
    """Run a bundle on files or cameras; one line of JSON for every answer.

    Every modality is named once: with a source, or with --absent. --camera, --video, --wav,
    --image, --text and --points need no NAME where the bundle has one such modality.
    """
    manifest = plait.Bundle(bundle).manifest
    given = Given(
        sample=sample or (),
        camera=camera or (),
        video=video or (),
        wav=wav or (),
        image=image or (),
        text=text or (),
        points=points or (),
        absent=list(dict.fromkeys(absent or ())),
        every_s=every,
    )
    feeds = open_feeds(manifest, given)
    try:
        _check_all_said(feeds)
        model = plait.load(
            bundle, device, precision=precision, threads=threads, onnxruntime=onnxruntime
        )
        step_ns = _step_ns(manifest, feeds, every, hop)
        _answer_all(model, feeds, step_ns, top, live=bool(camera))
    finally:
        feeds.close()
    return ExitCode.OK


def _check_all_said(feeds: Feeds) -> None:
    for name, modality in feeds.modalities.items():
        if (name in feeds.given) == (name in feeds.absent):
            how = "both" if name in feeds.absent else "neither"
            sources = {"text": "--text", "sound": "--wav", "frame": "--image", "points": "--points"}
            option = sources.get(modality["kind"], "--sample")
            what = "WORDS" if option == "--text" else "FILE"
            raise plait.ConfigError(
                where=f"modality {name}",
                expected="either a source or --absent",
                got=how,
                action=f"Pass {option} {name}={what}, or --absent {name} where there is none.",
            )
    if not feeds.tracks:
        raise plait.ConfigError(
            where="plait run",
            expected="at least one source",
            got="none",
            action="Pass --sample NAME=FILE.",
        )


def _step_ns(
    manifest: Mapping[str, Any], feeds: Feeds, every: float | None, hop: int | None
) -> float | None:
    """From one answer to the next; None: an answer for each picture."""
    signals = [track.recording for track in feeds.tracks if isinstance(track, SignalTrack)]
    if hop is not None and (every is not None or not signals):
        raise plait.ConfigError(
            where="--hop",
            expected="a signal, whose samples it counts, and no --every",
            got="no signal" if not signals else "both",
            action="Use --every SECONDS.",
        )
    if every is not None:
        return every * 1e9
    if signals:
        return (hop or signals[0].window) * signals[0].period_ns
    if any(isinstance(track, FrameTrack) for track in feeds.tracks):
        return None
    for modality in manifest["modalities"]:  # sound only: a window after the other
        if modality["kind"] == "sound" and modality["name"] in feeds.given:
            return float(modality["sound"]["window"] / modality["sound"]["rate_hz"] * 1e9)
    return 1e9


def _answer_all(
    model: plait.Model, feeds: Feeds, step_ns: float | None, top: int | None, *, live: bool
) -> None:
    labels = {head["name"]: head.get("labels") or [] for head in model.manifest["heads"]}
    missing = dict.fromkeys(feeds.absent)
    total = expected_count(feeds.tracks, step_ns)
    # Lines and a bar on one terminal would overwrite each other.
    with progress(wanted=not sys.stdout.isatty()) as report:
        for moment in moments(feeds.tracks, step_ns, feeds.modalities):
            result = model(**missing, **moment.samples)
            write_json(_line(moment, missing, result, labels, top), indent=None)
            if live:
                sys.stdout.flush()
            report("windows", moment.index + 1, max(total, moment.index + 1))


def _line(
    moment: Moment,
    missing: Mapping[str, None],
    result: plait.Result,
    labels: Mapping[str, Sequence[str]],
    top: int | None,
) -> dict[str, Any]:
    heads = {name: _answer(result[name], labels[name], top) for name in result.heads}
    first = next(iter(heads.values()))
    timings = result.timings
    ages = {**missing, **moment.ages_ms}
    return {
        "window": moment.index,
        "time": moment.time_ns / 1e9,
        "label": first["label"],
        "scores": first["scores"],
        "heads": heads,
        "presence": dict(result.presence),
        "ages_ms": {name: ages[name] for name in result.presence},
        "timings": {
            "prepare_ns": dict(timings.prepare_ns),
            "encode_ns": dict(timings.encode_ns),
            "fuse_ns": dict(timings.fuse_ns),
            "total_ns": timings.total_ns,
        },
    }


def _answer(answer: plait.Answer, labels: Sequence[str], top: int | None) -> dict[str, Any]:
    scores: dict[str, float] | None = None
    if answer.scores is not None:
        pairs = list(zip(labels, answer.scores.tolist(), strict=True))
        if top is not None:
            pairs = sorted(pairs, key=lambda pair: -pair[1])[:top]
        scores = dict(pairs)
    shortened = scores is not None and top is not None
    quality = answer.expected_quality
    return {
        "label": answer.label,
        "scores": scores,
        "output": None if answer.output is None or shortened else answer.output.tolist(),
        "expected_quality": None
        if quality is None
        else {"metric": quality.metric, "value": quality.value},
    }
