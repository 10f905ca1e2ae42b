"""The commands of `plait`, put together."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import plait
from plait.cli.bench import bench
from plait.cli.build import build
from plait.cli.cache import cache
from plait.cli.doctor import doctor
from plait.cli.export import export
from plait.cli.inspect_bundle import inspect
from plait.cli.outcome import ExitCode, command
from plait.cli.output import write_json
from plait.cli.rewrite import rewrite
from plait.cli.run import run as run_command

app = typer.Typer(
    name="plait",
    help="Multimodal models on devices: look into a bundle, run it, check it, time it, make one.",
    epilog="Exit codes: 0 fine, 1 what was checked is not right, 2 usage, 3 bundle, 4 sample, "
    "5 backend, 130 interrupted. docs/cli.md has the rest.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(inspect)
app.command(name="run")(run_command)
app.command()(doctor)
app.command()(bench)
app.command()(build)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": False},
)(export)
app.command()(rewrite)
app.add_typer(cache, name="cache")


@app.command(name="cmake-dir")
@command
def cmake_dir(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> ExitCode:
    """Print where find_package(plait) looks: cmake -Dplait_DIR=$(plait cmake-dir)."""
    directory = plait.cmake_dir()
    if as_json:
        write_json({"cmake_dir": directory})
    else:
        print(directory)
    return ExitCode.OK


@app.command()
@command
def version(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> ExitCode:
    """Print the version of Plait."""
    if as_json:
        write_json({"plait": plait.version(), "path": str(Path(plait.__file__).parent)})
    else:
        print(f"plait {plait.version()}")
    return ExitCode.OK


def run(arguments: Sequence[str]) -> int:
    """Runs one command; its exit code."""
    try:
        app(args=list(arguments), prog_name="plait")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception:
        traceback.print_exc()
        return ExitCode.DEFECT
    return ExitCode.OK
