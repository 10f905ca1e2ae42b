"""`plait export`: a script that describes a model, or a library's model, to a bundle."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
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

# What stands before a model's name; a script is a path.
_LIBRARY = re.compile(r"[a-z_]+:")


@command
def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="SCRIPT.py, which defines request(arguments) -> plait_export.Request; or "
            "hf:DIRECTORY, timm:NAME, open_clip:NAME (docs/models.md).",
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
    *,
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples",
            metavar="DIR",
            help="Pictures, sounds and texts to try a library's model on. Default: a few that "
            "come along.",
        ),
    ] = None,
    precisions: Annotated[
        str,
        typer.Option(
            "--precisions",
            metavar="LIST",
            help="Of a library's model: fp32, and fp16 or int8 as wanted, judged by FP32.",
        ),
    ] = "fp32",
    tokens: Annotated[
        int | None,
        typer.Option("--tokens", help="That the text encoder sees. Default: the most it takes."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE", help="State dict of timm:NAME, open_clip:NAME."),
    ] = None,
    random_weights: Annotated[
        bool,
        typer.Option("--random-weights", help="Weights drawn at random, for speed only."),
    ] = False,
    as_json: JsonOption = False,
) -> ExitCode:
    """Export what SCRIPT.py describes, or a library's model. Needs the extra plait[export]."""
    of_library = _LIBRARY.match(model) is not None and not Path(model).exists()
    try:
        import plait_export.script

        if of_library:
            from plait_export.zoo.adapters import command as adapters  # takes seconds: torch
    except ImportError as error:
        raise plait.ConfigError(
            where="plait export",
            expected="the exporter and PyTorch to be installed",
            got=str(error),
            action="Install them: pip install 'plait[export]'.",
        ) from error
    # What the script prints is no answer of this command.
    with progress() as report, redirect_stdout(sys.stderr):
        chosen = None if engines is None else _words(engines)
        if of_library:
            options = adapters.Options(
                samples=samples,
                tokens=tokens,
                random_weights=random_weights,
                weights=weights,
                precisions=_words(precisions),
                engines=chosen or (),
            )
            exported = adapters.export_named(model, output, options, report)
        else:
            _check_script(
                {
                    "--samples": samples is not None,
                    "--precisions": precisions != "fp32",
                    "--tokens": tokens is not None,
                    "--weights": weights is not None,
                    "--random-weights": random_weights,
                }
            )
            exported = plait_export.script.run(Path(model), output, arguments or [], report, chosen)
    if as_json:
        write_json(exported.to_json())
    else:
        console().print(Group(*_page(exported)))
    return ExitCode.OK


def _words(listed: str) -> list[str]:
    return [word.strip() for word in listed.split(",") if word.strip()]


def _check_script(said: Mapping[str, bool]) -> None:
    """A script says all that itself. said: by option, whether it was given."""
    for option, given in said.items():
        if given:
            raise plait.ConfigError(
                where=option,
                expected="a library's model, for instance hf:DIRECTORY",
                got="a script, which returns its own Request",
                action="Leave the option out, or hand arguments to the script after --.",
            )


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
