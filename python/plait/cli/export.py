"""`plait export`: runs a script that describes a model, and writes its bundle."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

import plait
from plait.cli.inspect_bundle import attempt_text
from plait.cli.options import JsonOption
from plait.cli.outcome import ExitCode, command
from plait.cli.output import bytes_text, console, progress, write_json

if TYPE_CHECKING:
    from plait_export import ExportReport


@command
def export(
    script: Annotated[
        Path,
        typer.Argument(
            metavar="SCRIPT.py", help="Defines request(arguments) -> plait_export.Request."
        ),
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS", help="After --: handed to the script.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Default: NAME.plait, here."),
    ] = None,
    engines: Annotated[
        str | None,
        typer.Option(
            "--engines",
            metavar="PRECISIONS",
            help="fp16, int8 or fp16,int8: further variants that TensorRT engines are built from.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> ExitCode:
    """Export the model that SCRIPT.py describes to a bundle. Needs the extra plait[export]."""
    try:
        import plait_export.script
    except ImportError as error:
        raise plait.ConfigError(
            where="plait export",
            expected="the exporter and PyTorch to be installed",
            got=str(error),
            action="Install them: pip install 'plait[export]'.",
        ) from error
    # What the script prints is no answer of this command.
    with progress() as report, redirect_stdout(sys.stderr):
        exported = plait_export.script.run(
            script,
            output,
            arguments or [],
            report,
            None if engines is None else [name for name in engines.split(",") if name],
        )
    if as_json:
        write_json(exported.to_json())
    else:
        console().print(Group(*_page(exported)))
    return ExitCode.OK


def _page(report: ExportReport) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text.assemble(
            (str(report.path), "bold cyan"),
            f"  {bytes_text(report.bytes)}, runs {report.default_precision} unless told otherwise",
        )
    ]
    attempts: list[Any] = report.to_json().get("attempts", [])
    parts += [Text(f"  {attempt_text(attempt)}") for attempt in attempts]
    parts += [Text(f"  warning: {warning}", style="yellow") for warning in report.warnings]
    parts.append(Text(f"  `plait inspect {report.path}` shows what is in it."))
    return parts
