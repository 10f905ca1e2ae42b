"""How a command ends: the exit codes, and what turns every error into one of them."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import ParamSpec

import typer
from rich.text import Text

import plait
from plait.cli.output import errors

P = ParamSpec("P")


class ExitCode(IntEnum):
    """The exit codes of `plait`; docs/cli.md explains them."""

    OK = 0
    NOT_RIGHT = 1
    USAGE = 2
    BUNDLE = 3
    SAMPLE = 4
    BACKEND = 5
    DEFECT = 70
    INPUT_OUTPUT = 74
    INTERRUPTED = 130
    CLOSED_PIPE = 141


def code_of(error: plait.Error) -> ExitCode:
    """The exit code of an error; NOT_RIGHT for one that is the exporter's own."""
    for kind, code in (
        (plait.BundleError, ExitCode.BUNDLE),
        (plait.SampleError, ExitCode.SAMPLE),
        (plait.BackendError, ExitCode.BACKEND),
        (plait.ConfigError, ExitCode.USAGE),
    ):
        if isinstance(error, kind):
            return code
    return ExitCode.NOT_RIGHT


def command(body: Callable[P, ExitCode]) -> Callable[P, None]:
    """Makes a function that returns an exit code a command: its errors become messages."""

    @functools.wraps(body)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(_guard(lambda: body(*args, **kwargs)))

    return guarded


def _guard(body: Callable[[], ExitCode]) -> ExitCode:
    try:
        code = body()
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up_stdout()
        return ExitCode.CLOSED_PIPE
    except KeyboardInterrupt:
        say_error("interrupted")
        return ExitCode.INTERRUPTED
    except plait.Error as error:
        say_error(str(error))
        return code_of(error)
    except OSError as error:
        say_error(f"{error.filename or 'input/output'}: {error.strerror or error}")
        _give_up_stdout()
        return ExitCode.INPUT_OUTPUT
    return code


def _give_up_stdout() -> None:
    """Where stdout takes no more: what is left in it must not fail again when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_error(message: str) -> None:
    """One line on stderr, never on stdout."""
    errors.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
