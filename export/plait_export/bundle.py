"""Writes a bundle file, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plait_export.errors import ExportError

MANIFEST = "manifest.json"
ALIGNMENT = 64

_DATE = (1980, 1, 1, 0, 0, 0)
_LOCAL_HEADER = 30
_FILE_MODE = 0o100644 << 16
# The extra field Android's zipalign pads with: an identifier, a size, the alignment, then zeros.
_PADDING_ID = 0xD935
_PADDING_HEADER = 6


def member_table(members: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """The manifest's `members`: SHA-256 and size of each."""
    return {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in members.items()
    }


def check_target(path: Path) -> None:
    """Finds out before the work begins whether a bundle could be written there."""
    folder = path.parent
    if path.is_dir():
        raise ExportError(
            where=str(path),
            expected="the name of a file to write",
            got="a folder",
            action="Name the bundle, for instance watch.plait.",
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_written(path, error) from error


def write_bundle(
    path: Path,
    manifest: Mapping[str, Any],
    members: Mapping[str, bytes],
    check: Callable[[Path], None] | None = None,
    durable: bool = True,
) -> int:
    """Writes a bundle and returns its size in bytes.

    manifest: all but its `members`, which are made here. check: is given the finished file before
    it takes its name, and raises where it is not good. durable: waits for the disk.

    The file appears under its name complete and checked, or not at all; one that was there before
    stays until then. Raises ExportError where it cannot be written, and whatever check raises.
    """
    complete = {**manifest, "members": member_table(members)}
    text = json.dumps(complete, indent=1, ensure_ascii=False, allow_nan=False).encode()
    unfinished: Path | None = None
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=".unfinished"
        )
        unfinished = Path(name)
        with os.fdopen(handle, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                _add(archive, MANIFEST, text)
                for member, data in members.items():
                    _add(archive, member, data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            size = file.tell()
        os.chmod(unfinished, 0o666 & ~_umask())
        if check is not None:
            check(unfinished)
        os.replace(unfinished, path)
        unfinished = None
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)
    return size


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, date_time=_DATE)
    info.compress_type = zipfile.ZIP_STORED
    info.create_system = 3
    info.external_attr = _FILE_MODE
    assert archive.fp is not None
    begin = archive.fp.tell() + _LOCAL_HEADER + len(name.encode()) + _PADDING_HEADER
    zeros = -begin % ALIGNMENT
    info.extra = struct.pack("<HHH", _PADDING_ID, 2 + zeros, ALIGNMENT) + bytes(zeros)
    archive.writestr(info, data)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _not_written(path: Path, error: OSError) -> ExportError:
    return ExportError(
        where=str(path),
        expected="an existing folder that can be written to, with room for the bundle",
        got=error.strerror or str(error),
        action="Nothing was written and a bundle of that name is as it was; choose another folder "
        "or make room.",
    )
