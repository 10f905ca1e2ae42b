"""Alters a bundle and hashes it again: every check of the file passes, only behaviour differs."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Manifest = dict[str, Any]

_ALIGNMENT = 64
_LOCAL_HEADER = 30
_PADDING_ID = 0xD935  # as Android's zipalign


def rebundle(
    source: Path,
    target: Path,
    *,
    manifest: Callable[[Manifest], None] | None = None,
    members: Mapping[str, Callable[[bytes], bytes]] | None = None,
) -> Path:
    """Writes `source` to `target` with its manifest and members changed, and hashes to match.

    manifest: changes the parsed manifest in place. members: member -> new bytes from old bytes.
    """
    with zipfile.ZipFile(source) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    for name, change in (members or {}).items():
        changed = change(contents[name])
        assert changed != contents[name], f"{name} is as it was"
        contents[name] = changed
    described = read_manifest(source)
    if manifest is not None:
        manifest(described)
    for name, entry in described["members"].items():
        entry["sha256"] = hashlib.sha256(contents[name]).hexdigest()
        entry["bytes"] = len(contents[name])
    contents["manifest.json"] = json.dumps(described).encode()
    write_stored(target, contents)
    return target


def unshare_graphs(source: Path, target: Path) -> Path:
    """Gives every precision a file of its own for each graph.

    Which graphs a small precision leaves in float, and so shares with fp32, is measured at export:
    a test that alters one precision alone must not depend on that.
    """
    with zipfile.ZipFile(source) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = read_manifest(source)
    taken: set[str] = set()
    for variant in manifest["variants"]:
        for graph, member in variant["members"].items():
            own = f"graphs/{graph}.{variant['precision']}.own.onnx" if member in taken else member
            contents[own] = contents[member]
            manifest["members"][own] = dict(manifest["members"][member])
            variant["members"][graph] = own
            taken.add(own)
    contents["manifest.json"] = json.dumps(manifest).encode()
    write_stored(target, contents)
    return target


def read_manifest(bundle: Path) -> Manifest:
    """The manifest as zipfile and json see it, without Plait's reader."""
    with zipfile.ZipFile(bundle) as archive:
        manifest: Manifest = json.loads(archive.read("manifest.json"))
    return manifest


def write_stored(target: Path, contents: Mapping[str, bytes]) -> None:
    """A ZIP of stored members, each of which starts at a multiple of 64 bytes."""
    with target.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name)
            # An extra field is at least its own 4-byte header long.
            begin = file.tell() + _LOCAL_HEADER + len(name.encode()) + 4
            padding = -begin % _ALIGNMENT
            info.extra = struct.pack("<HH", _PADDING_ID, padding) + bytes(padding)
            archive.writestr(info, data)


def scale_array(factor: float) -> Callable[[bytes], bytes]:
    """Changes one .npy member: all values times `factor`."""
    return edit_array(lambda array: (array * factor).astype(array.dtype))


def edit_array(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[bytes], bytes]:
    """Changes one .npy member by a function of its array."""

    def edit(data: bytes) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, change(np.load(io.BytesIO(data), allow_pickle=False)))
        return buffer.getvalue()

    return edit


def scale_weight(factor: float) -> Callable[[bytes], bytes]:
    """Changes one .onnx member in float: its largest weight times `factor`."""
    return _edit_largest(lambda weight: (weight * np.float32(factor)).astype(np.float32))


def reverse_weight() -> Callable[[bytes], bytes]:
    """Changes one .onnx member of any scheme: its largest weight in reverse along each axis."""
    return _edit_largest(np.flip)


def _edit_largest(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        model = onnx.load_model_from_string(data)
        largest = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
        changed = np.ascontiguousarray(change(numpy_helper.to_array(largest)))
        largest.CopyFrom(numpy_helper.from_array(changed, largest.name))
        serialized: bytes = model.SerializeToString()
        return serialized

    return edit
