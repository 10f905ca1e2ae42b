"""`plait doctor`: what is on this device, and does the bundle answer here as where it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

import plait
from plait.cli.options import DeviceOption, JsonOption, OnnxRuntimeOption, ThreadsOption
from plait.cli.outcome import ExitCode, code_of, command
from plait.cli.output import bytes_text, console, progress, verdict_text, write_json
from plait.doctor import (
    Diagnosis,
    Environment,
    Integrity,
    Jetson,
    check_integrity,
    environment,
    jetson,
    replay,
)


@command
def doctor(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="A .plait file to check.")
    ] = None,
    *,
    precision: Annotated[
        list[str] | None, typer.Option("--precision", help="Only this one. May be repeated.")
    ] = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    onnxruntime: OnnxRuntimeOption = None,
    as_json: JsonOption = False,
) -> ExitCode:
    """Check this device, and with BUNDLE its file and every stage against its golden data.

    Names the first stage that diverges, by how much, and what usually causes it. Exit code 1 where
    one does, 3 where the file is damaged, 5 where there is no usable ONNX Runtime.
    """
    around = environment(onnxruntime)
    board = jetson()
    integrity: Integrity | None = None
    diagnosis: Diagnosis | None = None
    trouble: plait.Error | None = None
    if bundle is not None:
        try:
            with progress() as report:
                integrity = check_integrity(bundle, report)
                if integrity.ok:
                    diagnosis = replay(
                        bundle,
                        precisions=precision,
                        device=device,
                        threads=threads,
                        onnxruntime=onnxruntime,
                        progress=report,
                    )
        except plait.Error as error:
            trouble = error
    code = _code(around, integrity, diagnosis, trouble)
    if as_json:
        write_json(
            {
                "ok": code == ExitCode.OK,
                "environment": around.to_json(),
                "jetson": None if board is None else board.to_json(),
                "integrity": None if integrity is None else integrity.to_json(),
                "replay": None if diagnosis is None else diagnosis.to_json(),
                "error": None if trouble is None else str(trouble),
            }
        )
    else:
        parts: list[RenderableType] = [_environment_table(around)]
        if board is not None:
            parts.append(_jetson_table(board))
        if integrity is not None:
            parts.append(_integrity_text(integrity))
        if diagnosis is not None:
            parts += [_stages_table(diagnosis)] if diagnosis.checks else []
            parts.append(_verdict(diagnosis))
        console().print(Group(*parts))
    if trouble is not None:
        raise trouble
    return code


def _code(
    around: Environment,
    integrity: Integrity | None,
    diagnosis: Diagnosis | None,
    trouble: plait.Error | None,
) -> ExitCode:
    if trouble is not None:
        return code_of(trouble)
    if integrity is not None and not integrity.ok:
        return ExitCode.BUNDLE
    if around.onnxruntime is None:
        return ExitCode.BACKEND
    return ExitCode.OK if diagnosis is None or diagnosis.ok else ExitCode.NOT_RIGHT


def _environment_table(around: Environment) -> Table:
    table = Table(title="This device", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    found = around.onnxruntime_problem or f"{around.onnxruntime} in {around.onnxruntime_path}"
    memory = "" if around.memory_bytes is None else f", {bytes_text(around.memory_bytes)} memory"
    for name, value in (
        ("Plait", f"{around.plait}, core {around.core}"),
        ("Python", f"{around.python}, NumPy {around.numpy}"),
        ("ONNX Runtime", Text(found, style="" if around.onnxruntime else "bold red")),
        ("System", around.system),
        ("Board", around.board),
        ("CPU", f"{around.cpu or around.architecture}{memory}"),
        ("CPUs", f"{around.cpus_usable} usable of {around.cpus_present}"),
        ("Instructions", " ".join(around.cpu_features) or "unknown"),
        ("Governor", around.governor or "not readable"),
    ):
        if value is not None:
            table.add_row(name, value)
    return table


def _jetson_table(board: Jetson) -> Table:
    where = ", in a container" if board.container else ""
    table = Table(
        title=f"\n{board.board}{where}", title_justify="left", show_header=False, box=None
    )
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="yellow")
    for finding in board.findings:
        advice = " ".join(part for part in (finding.advice, finding.command) if part)
        table.add_row(finding.name, finding.value or "not available here", advice)
    return table


def _integrity_text(integrity: Integrity) -> RenderableType:
    size = bytes_text(integrity.bytes)
    line = Text.assemble(
        "\n",
        ("File  ", "bold"),
        f"{integrity.bundle}, {size}, {integrity.members} members, hashes ",
        verdict_text(integrity.ok, "ok", "WRONG"),
    )
    return Group(line, *(Text(f"  {why}", style="red") for why in integrity.damaged.values()))


def _stages_table(diagnosis: Diagnosis) -> RenderableType:
    table = Table(title="\nGolden replay", title_justify="left", box=None)
    for name in ("stage", "precision", "against"):
        table.add_column(name)
    for name in ("cases", "error", "tolerance"):
        table.add_column(name, justify="right")
    table.add_column("")
    for stage in diagnosis.stages:
        # The description of a sample has no error to show while it holds.
        plain = stage.against == "description" and stage.ok
        table.add_row(
            stage.stage,
            stage.precision or "",
            stage.against,
            str(stage.cases),
            "" if plain else f"{stage.error:.2g}",
            "" if plain else f"{stage.tolerance:.2g}",
            verdict_text(stage.ok),
        )
    return table


def _verdict(diagnosis: Diagnosis) -> RenderableType:
    notes = [Text(f"Not checked: {what}", style="yellow") for what in diagnosis.unchecked]
    notes += [Text(f"Remark: {what}", style="yellow") for what in diagnosis.remarks]
    first = diagnosis.first
    if first is None:
        if not diagnosis.checks:
            return Group(*notes)
        compared = f"{len(diagnosis.checks)} comparisons"
        return Group(
            *notes,
            Text(f"\nEvery stage answers as where the bundle was made ({compared}).", "green"),
        )
    where = f"{first.stage}{f' in {first.precision}' if first.precision else ''}"
    lines = [
        Text.assemble("First stage that diverges: ", (where, "bold red")),
        Text(
            f"error {first.error:.3g} of the largest value, tolerance {first.tolerance:.2g}"
            f"{f', case {first.case}' if first.case else ''}, against the {first.against}"
        ),
    ]
    if first.note:
        lines.append(Text(first.note))
    lines.append(Text("\nWhat usually causes it", style="bold"))
    lines += [Text(f"- {cause}") for cause in diagnosis.causes]
    return Group(*notes, Panel(Group(*lines), border_style="red"))
