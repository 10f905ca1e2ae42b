"""`plait rewrite`: puts fused operators into an ONNX graph that a user already has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Group, RenderableType
from rich.text import Text

import plait
from plait.cli.options import JsonOption
from plait.cli.outcome import ExitCode, command
from plait.cli.output import console, write_json

if TYPE_CHECKING:
    from plait_export.rewrite import Rewritten


@command
def rewrite(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Left as it is.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FUSED.onnx", help="What is written.")
    ],
    inputs: Annotated[
        list[Path],
        typer.Option(
            "--inputs",
            metavar="FILE.npz",
            help="Real inputs by name; may be repeated, with other sizes where they are dynamic.",
        ),
    ],
    tolerance: Annotated[
        float, typer.Option(help="Largest relative error of a replacement that is kept.")
    ] = 1e-4,
    as_json: JsonOption = False,
) -> ExitCode:
    """Replace decomposed operators in MODEL.onnx by fused ones. Needs the extra plait[export]."""
    try:
        import onnx

        import plait_export.rewrite
    except ImportError as error:
        raise plait.ConfigError(
            where="plait rewrite",
            expected="the exporter and PyTorch to be installed",
            got=str(error),
            action="Install them: pip install 'plait[export]'.",
        ) from error
    cases = [_arrays(path) for path in inputs]
    rewritten = plait_export.rewrite.rewrite(model, cases, tolerance=tolerance)
    onnx.save(rewritten.model, str(output))
    if as_json:
        write_json({"output": str(output), **rewritten.to_json()})
    else:
        console().print(Group(*_page(output, rewritten)))
    return ExitCode.OK


def _arrays(path: Path) -> Mapping[str, Any]:
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, TypeError, AttributeError) as error:
        raise plait.SampleError(
            where=str(path),
            expected="an .npz file with an array for each input of the graph, by name",
            got=str(error),
            action="Write it with numpy.savez(path, name=array, ...).",
        ) from error


def _page(output: Path, rewritten: Rewritten) -> list[RenderableType]:
    before, after = rewritten.nodes
    parts: list[RenderableType] = [
        Text.assemble((str(output), "bold cyan"), f"  {after} nodes of {before}")
    ]
    for done in rewritten.replaced:
        parts.append(Text(f"  {done.operator} for {done.node}: {done.detail}"))
        parts.append(Text(f"    relative error {done.error:.1e}", style="dim"))
    for name in rewritten.repaired:
        parts.append(Text(f"  repaired {name}: its grid was float64", style="yellow"))
    for missed in rewritten.near:
        parts.append(
            Text(f"  left as it is: {missed.node} ({missed.operator}): {missed.reason}", "yellow")
        )
    if not rewritten.replaced:
        parts.append(Text("  nothing was replaced", style="yellow"))
    return parts
