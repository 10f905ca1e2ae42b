"""The command line `plait`. Only this package imports typer and rich; `import plait` never does."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs `plait ARGUMENTS` and leaves the process with its exit code (docs/cli.md)."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        print(
            f"plait: the command line needs the packages typer and rich, and {error.name} is "
            "missing. Install them: pip install typer rich",
            file=sys.stderr,
        )
        sys.exit(2)
    from plait.cli.application import run

    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))
