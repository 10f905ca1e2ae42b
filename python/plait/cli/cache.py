"""`plait cache`: which TensorRT engines are kept on this device, whether they are whole, away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from plait.cli.options import EngineCacheOption, JsonOption
from plait.cli.outcome import ExitCode, command
from plait.cli.output import bytes_text, console, verdict_text, write_json
from plait.engine_cache import EngineCache, EngineEntry, EngineKey

cache = typer.Typer(
    help="TensorRT engines kept on this device: list them, check them, delete them.",
    no_args_is_help=True,
)

_KEY_FIELDS = (
    "graph_sha256", "precision", "profiles", "tensorrt", "device", "compute_capability", "driver",
    "plugins",
)  # fmt: skip


@cache.command(name="ls")
@command
def list_engines(folder: EngineCacheOption = None, as_json: JsonOption = False) -> ExitCode:
    """List the engines, what each was built for, and how large they are."""
    kept = EngineCache(folder)
    entries = kept.entries()
    if as_json:
        write_json(_plain(kept, entries))
    else:
        _show(kept, entries)
    return ExitCode.OK


@cache.command()
@command
def verify(folder: EngineCacheOption = None, as_json: JsonOption = False) -> ExitCode:
    """Read and hash every engine. Exit code 1 where one is damaged: it would not be run."""
    kept = EngineCache(folder)
    entries = kept.verify()
    damaged = [entry for entry in entries if entry.problem]
    if as_json:
        write_json({**_plain(kept, entries), "ok": not damaged})
        return ExitCode.NOT_RIGHT if damaged else ExitCode.OK
    _show(kept, entries)
    for entry in damaged:
        console().print(Text(f"{entry.hex[:12]}: {entry.problem}", style="red"), soft_wrap=True)
    if damaged:
        console().print(
            "`plait cache clear --damaged` deletes them; `plait build` makes them anew."
        )
        return ExitCode.NOT_RIGHT
    return ExitCode.OK


@cache.command()
@command
def clear(
    folder: EngineCacheOption = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Only those that `verify` would refuse.")
    ] = False,
    as_json: JsonOption = False,
) -> ExitCode:
    """Delete the engines, but for those that a process runs right now."""
    kept = EngineCache(folder)
    removed, freed, in_use = kept.clear(only_damaged=damaged)
    if as_json:
        write_json({"folder": kept.folder(), "removed": removed, "bytes": freed, "in_use": in_use})
        return ExitCode.OK
    console().print(f"deleted {removed} engines, {bytes_text(freed)}, in {kept.folder()}")
    if in_use:
        console().print(f"left {in_use}, which a process runs")
    return ExitCode.OK


def _plain(kept: EngineCache, entries: Sequence[EngineEntry]) -> dict[str, Any]:
    return {
        "folder": kept.folder(),
        "limit_bytes": kept.limit_bytes(),
        "bytes": sum(entry.bytes() for entry in entries),
        "engines": [_plain_entry(entry) for entry in entries],
    }


def _plain_entry(entry: EngineEntry) -> dict[str, Any]:
    key = entry.key()
    plain: dict[str, Any] = {"name": entry.hex, "problem": entry.problem or None}
    if key is None:
        return {**plain, "bytes": None, "built": None, "used": None, "key": None, "report": None}
    fields: dict[str, Any] = {name: getattr(key, name) for name in _KEY_FIELDS}
    return {
        **plain,
        "bytes": entry.bytes(),
        "built": _time(entry.built_ns()),
        "used": _time(entry.used_ns()),
        "key": {**fields, "profiles": json.loads(key.profiles)},
        "report": json.loads(entry.report()),
    }


def _time(nanoseconds: int) -> str:
    """Whole seconds, as ISO 8601 has them; a clock was wrong where it can't be written so."""
    try:
        return datetime.fromtimestamp(nanoseconds // 10**9, timezone.utc).isoformat()
    except (OverflowError, ValueError):
        return "unknown"


def _show(kept: EngineCache, entries: Sequence[EngineEntry]) -> None:
    table = Table(box=None)
    for name in ("name", "graph", "precision", "TensorRT", "for"):
        table.add_column(name)
    table.add_column("size", justify="right")
    table.add_column("last used")
    table.add_column("")
    for entry in entries:
        key = entry.key()
        about = _about(key, entry) if key else [""] * 6
        table.add_row(entry.hex[:12], *about, verdict_text(not entry.problem, "ok", "DAMAGED"))
    if entries:
        console().print(table)
    size = bytes_text(sum(entry.bytes() for entry in entries))
    limit = bytes_text(kept.limit_bytes())
    console().print(f"{len(entries)} engines, {size} of at most {limit}, in {kept.folder()}")


def _about(key: EngineKey, entry: EngineEntry) -> list[str]:
    built_for = f"{key.device} ({key.compute_capability})" if key.device else key.compute_capability
    return [
        key.graph_sha256[:12],
        key.precision,
        key.tensorrt,
        built_for,
        bytes_text(entry.bytes()),
        _time(entry.used_ns()),
    ]
