"""Damaged bundles: whatever bytes change, the reader refuses or reads exactly what was written."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait
from tests.cases.rebundle import write_stored

POSITIONS = 3000  # a test; every single position of a smaller bundle: tests/cpp/test_bundle.cpp
LOCAL_HEADER = 30


class Original:
    """A bundle's contents, read without Plait, to compare with."""

    def __init__(self, path: Path) -> None:
        self.bytes = path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            self.infos = archive.infolist()
            self.directory = archive.start_dir
            self.members = {name: archive.read(name) for name in archive.namelist()}
        self.manifest: dict[str, Any] = json.loads(self.members.pop("manifest.json"))

    def begin(self, info: zipfile.ZipInfo) -> int:
        """Where a member's bytes begin: behind its local header, name and padding."""
        name, extra = struct.unpack_from("<HH", self.bytes, info.header_offset + 26)
        return info.header_offset + LOCAL_HEADER + int(name) + int(extra)

    def is_read_from(self, path: Path) -> bool:
        """Whether the reader takes the file. If so, it must read what was written."""
        try:
            bundle = plait.Bundle(path)
            bundle.verify()
        except plait.BundleError as error:
            assert all((error.where, error.expected, error.got, error.action)), error
            return False
        assert bundle.manifest == self.manifest
        for name, contents in self.members.items():
            assert bytes(bundle.read(name)) == contents, name
        return True


@pytest.fixture(scope="module")
def original(tiny_bundle: Path) -> Original:
    return Original(tiny_bundle)


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tiny_bundle, tmp_path / "copy.plait"))


@contextmanager
def flipped(path: Path, position: int, mask: int) -> Iterator[None]:
    """The byte at position, xor mask, as long as the context lasts."""
    with open(path, "r+b", buffering=0) as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ mask]))
        try:
            yield
        finally:
            file.seek(position)
            file.write(bytes([byte]))


def flip_each(
    original: Original, path: Path, positions: list[int], generator: np.random.Generator
) -> list[int]:
    """Flips a byte at a time; returns the positions where that was harmless."""
    harmless = []
    for position in positions:
        single_bit = 1 << int(generator.integers(8))
        mask = single_bit if generator.integers(2) else int(generator.integers(1, 256))
        with flipped(path, position, mask):
            try:
                if original.is_read_from(path):
                    harmless.append(position)
            except Exception:
                print(f"byte {position} xor {mask}")
                raise
    assert original.is_read_from(path), "the file is whole again"
    return harmless


def test_a_flipped_byte_of_the_archive_structure_is_refused_or_harmless(
    original: Original, copy: Path, generator: np.random.Generator
) -> None:
    headers = [
        position
        for info in original.infos
        for position in range(info.header_offset, original.begin(info))
    ]
    directory = list(range(original.directory, len(original.bytes)))
    end_record = directory[-22:]
    chosen = generator.choice(headers + directory, size=POSITIONS, replace=False)
    positions = [*end_record, *(int(position) for position in chosen)]
    harmless = flip_each(original, copy, positions, generator)
    # Dates, versions, attributes, padding and its header: nothing a reader needs.
    assert 0 < len(harmless) < 0.75 * len(positions)


def test_a_flipped_byte_of_the_manifest_is_refused(
    original: Original, copy: Path, generator: np.random.Generator
) -> None:
    manifest = original.infos[0]
    begin = original.begin(manifest)
    chosen = generator.choice(manifest.file_size, size=POSITIONS, replace=False)
    positions = [begin + int(position) for position in chosen]
    assert flip_each(original, copy, positions, generator) == []


def test_a_flipped_byte_of_a_member_is_refused(
    original: Original, copy: Path, generator: np.random.Generator
) -> None:
    ranges = [(original.begin(info), info.file_size) for info in original.infos[1:]]
    positions = [begin + int(generator.integers(size)) for begin, size in ranges]
    chosen = generator.integers(len(ranges), size=POSITIONS - len(positions))
    positions += [ranges[i][0] + int(generator.integers(ranges[i][1])) for i in chosen]
    assert flip_each(original, copy, positions, generator) == []


def test_an_altered_manifest_with_the_right_crc_is_refused_or_read_as_it_says(
    original: Original, copy: Path, generator: np.random.Generator
) -> None:
    info = original.infos[0]
    begin = original.begin(info)
    text = original.bytes[begin : begin + info.file_size]
    taken = 0
    with open(copy, "r+b", buffering=0) as file:
        for position in generator.integers(len(text), size=POSITIONS):
            altered = bytearray(text)
            altered[position] ^= int(generator.integers(1, 256))
            crc = struct.pack("<I", zlib.crc32(altered))
            for offset, data in (
                (begin, bytes(altered)),
                (info.header_offset + 14, crc),
                (original.directory + 16, crc),
            ):
                file.seek(offset)
                file.write(data)
            try:
                manifest = plait.Bundle(copy).manifest
            except plait.BundleError as error:
                assert all((error.where, error.expected, error.got, error.action)), error
                continue
            taken += 1
            assert manifest == json.loads(altered), f"byte {position}"
    assert taken < POSITIONS


def test_a_truncated_bundle_is_refused(
    original: Original, copy: Path, generator: np.random.Generator
) -> None:
    size = len(original.bytes)
    lengths = {size - 1, size - 21, size - 22, size - 23, original.directory, 1, 21, 22, 63, 64}
    lengths |= {original.begin(info) + info.file_size for info in original.infos}
    lengths |= {int(length) for length in generator.integers(1, size, size=1000)}
    for length in sorted(lengths, reverse=True):
        os.truncate(copy, length)
        assert not original.is_read_from(copy), length


@pytest.mark.parametrize("count", [1, 3, 22, 64, 4096, 65_557, 200_003])
@pytest.mark.parametrize("where", ["front", "behind"])
def test_a_bundle_with_foreign_bytes_around_it_is_refused(
    original: Original, tmp_path: Path, generator: np.random.Generator, count: int, where: str
) -> None:
    path = tmp_path / "with_more.plait"
    for more in (bytes(count), generator.bytes(count), original.bytes[-count:]):
        both = more + original.bytes if where == "front" else original.bytes + more
        path.write_bytes(both)
        assert not original.is_read_from(path)


def other_files(original: Original) -> dict[str, bytes]:
    """Files of other kinds, and bundles packed in other ways."""
    contents = {"manifest.json": json.dumps(original.manifest).encode(), **original.members}
    packed: dict[str, bytes] = {}
    for name, method in (
        ("deflated.zip", zipfile.ZIP_DEFLATED),
        ("stored.zip", zipfile.ZIP_STORED),
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for member, data in contents.items():
                archive.writestr(member, data)
        packed[name] = buffer.getvalue()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("manifest.json"))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    graph = next(data for name, data in original.members.items() if name.endswith(".onnx"))
    return {
        **packed,
        "empty": b"",
        "newline": b"\n",
        "archive.tar": buffer.getvalue(),
        "empty.zip": empty.getvalue(),
        "bundle.gz": gzip.compress(original.bytes),
        "model.onnx": graph,
        "manifest.json": contents["manifest.json"],
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "program": Path(sys.executable).read_bytes(),
    }


def test_files_of_other_kinds_are_refused(original: Original, tmp_path: Path) -> None:
    for name, data in other_files(original).items():
        path = tmp_path / name
        path.write_bytes(data)
        assert not original.is_read_from(path), name
    for path in (tmp_path, tmp_path / "nothing", Path("/dev/null"), Path("/dev/zero")):
        with pytest.raises(plait.BundleError) as caught:
            plait.Bundle(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("major", [2, 3, 999_999])
def test_a_newer_format_is_refused_with_the_advice_to_upgrade(
    original: Original, tmp_path: Path, major: int
) -> None:
    manifest = {**original.manifest, "format_version": {"major": major, "minor": 0}}
    path = tmp_path / "newer.plait"
    write_stored(path, {"manifest.json": json.dumps(manifest).encode(), **original.members})
    with pytest.raises(plait.BundleError) as caught:
        plait.Bundle(path)
    assert f"format {major}.0" in caught.value.got
    assert "Upgrade plait" in caught.value.action
