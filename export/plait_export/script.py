"""Runs a user's export script: a Python file whose `request(arguments)` returns a Request."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from plait import ConfigError, Error
from plait_export.errors import ExportError
from plait_export.export import export_request
from plait_export.progress import Progress
from plait_export.report import ExportReport
from plait_export.request import Request

_MODULE = "plait_export_script"


def run(
    script: Path,
    output: Path | None = None,
    arguments: Sequence[str] = (),
    progress: Progress | None = None,
    engines: Sequence[str] | None = None,
) -> ExportReport:
    """Loads a script, lets it train or load its model, and exports what it asks for.

    output: None writes NAME.plait, after the deployment, into the working folder. engines: in
    place of what the request says of them. Raises
    ConfigError for a script that is none, ExportError where the script itself fails (its own
    error is the cause), and whatever `export` raises.
    """
    module = _load(script)
    make = getattr(module, "request", None)
    if not callable(make):
        raise ConfigError(
            where=str(script),
            expected="a function request(arguments: list[str]) -> Request",
            got="none of that name",
            action="Define it; docs/export.md shows one.",
        )
    try:
        request = make(list(arguments))
    except Error:
        raise
    except Exception as error:
        raise _failed(script, "request(arguments) to return a Request", error) from error
    if not isinstance(request, Request):
        raise ConfigError(
            where=str(script),
            expected="request(arguments) to return a plait_export.Request",
            got=type(request).__name__,
            action="Return Request(deployment=..., samples=..., gate=...).",
        )
    if engines is not None:
        request = replace(request, engines=engines)
    path = output if output is not None else Path(f"{request.deployment.name}.plait")
    return export_request(request, path, progress=progress, script=script)


def _load(script: Path) -> ModuleType:
    if not script.is_file():
        raise ConfigError(
            where=str(script),
            expected="a Python file",
            got="a folder" if script.is_dir() else "no such file",
            action="Pass the path of an export script.",
        )
    spec = importlib.util.spec_from_file_location(_MODULE, script)
    if spec is None or spec.loader is None:
        raise ConfigError(
            where=str(script),
            expected="a Python file, NAME.py",
            got=f"a name that ends in {script.suffix!r}",
            action="Pass the path of an export script.",
        )
    module = importlib.util.module_from_spec(spec)
    # As `python SCRIPT` would: dataclasses look their module up, and scripts import neighbours.
    sys.modules[_MODULE] = module
    folder = str(script.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Error:
        raise
    except Exception as error:
        raise _failed(script, "a script that can be imported", error) from error
    finally:
        sys.path.remove(folder)
    return module


def _failed(script: Path, expected: str, error: Exception) -> ExportError:
    line = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(script):
            line = f", line {trace.tb_lineno}"
        trace = trace.tb_next
    return ExportError(
        where=f"{script}{line}",
        expected=expected,
        got=f"{type(error).__name__}: {error}",
        action="The script's own error is the cause of this one.",
    )
