"""`plait bench`: how long a bundle takes on this device, by stage, presence set and precision."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

import plait
from plait.bench import BenchReport, BenchRow, measure
from plait.cli.feeds import Given, check_modality, open_feeds
from plait.cli.moments import moments
from plait.cli.options import (
    BundleArgument,
    DeviceOption,
    JsonOption,
    OnnxRuntimeOption,
    SampleOption,
    ThreadsOption,
)
from plait.cli.outcome import ExitCode, command
from plait.cli.output import bytes_text, console, presence_text, progress, write_json


@command
def bench(
    bundle: BundleArgument,
    *,
    presence: Annotated[
        list[str] | None,
        typer.Option(
            "--presence",
            metavar="NAME,NAME",
            help="Modalities that are present. May be repeated. Default: the golden cases' sets.",
        ),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option("--precision", help="May be repeated. Default: the one the exporter chose."),
    ] = None,
    sample: SampleOption = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds that count.")] = 1000,
    warm_up: Annotated[int, typer.Option("--warm-up", min=0, help="Rounds before them.")] = 50,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    onnxruntime: OnnxRuntimeOption = None,
    as_json: JsonOption = False,
) -> ExitCode:
    """Time a bundle: load, first call, and every stage (p50 to p99.9), with its golden samples.

    All presence sets and precisions are timed in one process, in random order within each round.
    """
    manifest = plait.Bundle(bundle).manifest
    modalities = [modality["name"] for modality in manifest["modalities"]]
    presences = [_presence(text, modalities) for text in presence or ()]
    samples = None
    if sample:
        feeds = open_feeds(manifest, Given(sample=sample))
        try:
            samples = next(moments(feeds.tracks, 1e9, feeds.modalities)).samples
        finally:
            feeds.close()
        for name in (name for names in presences for name in names if name not in samples):
            raise plait.ConfigError(
                where="--presence",
                expected="modalities that have a --sample",
                got=name,
                action=f"Add --sample {name}=FILE.",
            )
    with progress() as report:
        measured = measure(
            bundle,
            presences=presences or None,
            precisions=precision,
            device=device,
            samples=samples,
            threads=threads,
            warm_up=warm_up,
            rounds=rounds,
            onnxruntime=onnxruntime,
            progress=report,
        )
    if as_json:
        write_json(measured.to_json())
    else:
        console().print(Group(*_page(measured, modalities)))
    return ExitCode.OK


def _presence(text: str, modalities: list[str]) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise plait.ConfigError(
            where="--presence", expected="NAME,NAME", got=repr(text), action="Name what is present."
        )
    for name in names:
        check_modality("--presence", name, dict.fromkeys(modalities))
    return tuple(name for name in modalities if name in names)


def _page(report: BenchReport, modalities: list[str]) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text(
            f"{report.bundle} on {report.environment.cpu or report.environment.architecture}, "
            f"{report.rounds} rounds after {report.warm_up} to warm up, {report.samples} samples"
        )
    ]
    for load in report.loads:
        grown = "" if load.resident_bytes is None else f", {bytes_text(load.resident_bytes)} memory"
        parts.append(
            Text(f"{load.precision}: {load.backend}; loaded in {load.load_ms:.1f} ms{grown}")
        )
    if report.peak_resident_bytes is not None:
        parts.append(Text(f"peak memory of this process: {bytes_text(report.peak_resident_bytes)}"))
    parts += [_table(row, modalities) for row in report.rows]
    return parts


def _table(row: BenchRow, modalities: list[str]) -> Table:
    table = Table(
        title=f"\n{row.precision}, {presence_text(row.presence, modalities)}: first call "
        f"{row.first_call_us:.0f} us, {row.throughput_hz:.0f} answers/s",
        title_justify="left",
        box=None,
    )
    table.add_column("stage, in us")
    for name in ("p50", "p90", "p99", "p99.9", "max"):
        table.add_column(name, justify="right")
    for stage, spread in row.stages.items():
        numbers = (
            spread.p50_us,
            spread.p90_us,
            spread.p99_us,
            spread.p999_us,
            spread.maximum_us,
        )
        style = "bold" if stage in ("total", "call") else ""
        table.add_row(stage, *(f"{number:.1f}" for number in numbers), style=style)
    return table
