"""`plait build`: TensorRT engines out of a bundle, for this device or ahead of time for others."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

import plait
from plait.cli.options import BundleArgument, EngineCacheOption, JsonOption
from plait.cli.outcome import ExitCode, command, say_error
from plait.cli.output import bytes_text, console, progress, write_json
from plait.engines import BACKENDS, Built, Options, build_engines

_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", re.IGNORECASE)


@command
def build(
    bundle: BundleArgument,
    *,
    backend: Annotated[
        str, typer.Option(metavar="|".join(BACKENDS), help="tensorrt: for the GPU that is here.")
    ] = "tensorrt",
    targets: Annotated[
        str, typer.Option(metavar="SM,SM", help="Of tensorrt-rtx: sm86,sm89,sm120.")
    ] = "",
    precision: Annotated[
        list[str] | None,
        typer.Option("--precision", help="Default: all that were made for engines, else fp32."),
    ] = None,
    batch: Annotated[
        str, typer.Option(metavar="MIN,BEST,MOST", help="The runtime runs batches of 1.")
    ] = "1,1,1",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Copies of the engines, by name."),
    ] = None,
    cache: EngineCacheOption = None,
    max_memory: Annotated[
        str, typer.Option(metavar="SIZE", help="Refuse a build that needs more: 4GB.")
    ] = "",
    may_build: Annotated[
        bool, typer.Option("--build/--no-build", help="--no-build: only what is in the cache.")
    ] = True,
    as_json: JsonOption = False,
) -> ExitCode:
    """Build the engines of BUNDLE into the cache; those that are there are left alone.

    Exit code 5 where some graph became no engine; the others are built all the same.
    """
    options = Options(
        backend=backend,
        targets=[name for name in targets.split(",") if name],
        precisions=precision,
        batch=_batch(batch),
        max_memory=_size(max_memory) if max_memory else None,
        build=may_build,
        cache=cache,
    )
    with progress() as report:
        engines = build_engines(bundle, options, report)
    copies = [] if output is None else _copy(engines.built, output)
    if as_json:
        write_json({**engines.to_json(), "copies": copies})
    elif engines.built:
        console().print(Group(*_page(engines.built, copies)))
    for failure in engines.failed:
        say_error(failure.problem)
    return ExitCode.BACKEND if engines.failed else ExitCode.OK


def _batch(text: str) -> tuple[int, int, int]:
    parts = text.split(",")
    if len(parts) == 3 and all(part.strip().isdigit() for part in parts):
        return int(parts[0]), int(parts[1]), int(parts[2])
    raise plait.ConfigError(
        where="--batch", expected="three whole numbers: 1,1,4", got=repr(text), action=""
    )


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise plait.ConfigError(
            where="--max-memory", expected="a size: 4GB, 800MB", got=repr(text), action=""
        )
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _copy(built: Sequence[Built], folder: Path) -> list[str]:
    """Engines under their graphs' names; a file takes its name when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for one in built:
        target = folder / f"{one.graph}.{one.precision}.plan"
        unfinished = target.with_suffix(".unfinished")
        try:
            shutil.copyfile(one.plan, unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        copies.append(str(target))
    return copies


def _page(built: Sequence[Built], copies: Sequence[str]) -> list[RenderableType]:
    table = Table(box=None)
    for name in ("graph", "precision"):
        table.add_column(name)
    for name in ("engine", "kernels", "in FP32", "built in", "peak memory"):
        table.add_column(name, justify="right")
    table.add_column("")
    for one in built:
        report = one.report
        table.add_row(
            one.graph,
            one.precision,
            bytes_text(one.bytes),
            str(report["layers"]["count"]),
            str(len(report["kept_fp32"])),
            f"{report['seconds']:.1f} s",
            bytes_text(report["peak_rss_bytes"]),
            "was there" if one.cached else "built",
        )
    notes = dict.fromkeys(warning for one in built for warning in one.report["warnings"])
    parts: list[RenderableType] = [table]
    parts += [Text(f"  {note}", style="yellow") for note in notes]
    parts += [Text(f"  {copy}", style="dim") for copy in copies]
    return parts
