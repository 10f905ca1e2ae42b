"""The whole way: describe, trace, quantize, gate, choose, golden, bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.errors import ExportError
from plait_export.gate import Gate
from plait_export.lineage import Lineage
from plait_export.progress import Progress, silent
from plait_export.report import ExportReport
from plait_export.request import Request
from plait_export.samples import Sample

_NEEDED = ("torch", "onnx", "onnxscript", "onnxruntime")


def export(
    deployment: Deployment,
    path: str | Path,
    *,
    samples: Sequence[Sample],
    gate: Gate | None = None,
    precisions: Sequence[str] = ("fp32", "int8"),
    lineage: Lineage | None = None,
    engines: Sequence[str] = (),
    progress: Progress | None = None,
) -> ExportReport:
    """Writes a deployment as a bundle that is proven to answer as its PyTorch modules do.

    The arguments are those of `Request`. Raises ConfigError for what was said wrongly, ExportError
    for what then failed; in both cases nothing is written and an existing bundle stays.
    """
    request = Request(deployment, samples, gate, precisions, lineage, engines)
    return export_request(request, path, progress=progress)


def export_request(
    request: Request,
    path: str | Path,
    progress: Progress | None = None,
    script: Path | None = None,
) -> ExportReport:
    """The same for a Request. script: whose folder is asked for a git revision; else this one."""
    for package in _NEEDED:
        _require(package)
    # Only now: torch takes seconds to import, and a wrong description should be told at once.
    from plait_export import pipeline

    try:
        with tempfile.TemporaryDirectory(prefix="plait-export-") as folder:
            return pipeline.run(request, Path(path), Path(folder), progress or silent, script)
    except OSError as error:
        raise ExportError(
            where=str(error.filename or "temporary files"),
            expected="a folder for temporary files that can be written to, with room",
            got=error.strerror or str(error),
            action="Make room, or name another folder in the environment variable TMPDIR.",
        ) from error


def _require(package: str) -> None:
    try:
        import_module(package)
    except ImportError as error:
        raise ConfigError(
            where="plait_export",
            expected=f"the package {package}",
            got=str(error),
            action="Install what exporting needs: pip install 'plait[export]'.",
        ) from error
