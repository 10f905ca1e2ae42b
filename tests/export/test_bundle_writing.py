"""A bundle file is written whole or not at all, and any zip tool reads it."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait_export import ExportError
from plait_export.bundle import ALIGNMENT, check_target, member_table, write_bundle
from tests.export.conftest import Exported

MEMBERS = {"graphs/a.onnx": b"a" * 1001, "golden/0/sample.m.npy": b"", "x": bytes(range(256))}


def data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin, read from its local header."""
    header = path.read_bytes()[info.header_offset : info.header_offset + 30]
    name, extra = struct.unpack("<HH", header[26:30])
    return info.header_offset + 30 + int(name) + int(extra)


def check_layout(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
        assert infos[0].filename == "manifest.json"
        for info in infos:
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.compress_size == info.file_size
            assert data_offset(path, info) % ALIGNMENT == 0


def test_members_are_stored_aligned_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "some.plait"
    size = write_bundle(path, {"name": "some"}, MEMBERS)
    assert size == path.stat().st_size
    check_layout(path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest == {"name": "some", "members": member_table(MEMBERS)}
        assert {name: archive.read(name) for name in MEMBERS} == MEMBERS


def test_a_real_bundle_has_the_same_layout(exported: Exported) -> None:
    check_layout(exported.path)


@given(
    st.dictionaries(
        st.text("abcdefghijklmnopqrstuvwxyz0123456789./_", min_size=1, max_size=70),
        st.binary(max_size=300),
        max_size=6,
    )
)
def test_any_names_and_sizes_are_aligned(members: dict[str, bytes]) -> None:
    members.pop("manifest.json", None)
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    path = folder / f"plait-any-{os.getpid()}.plait"
    try:
        write_bundle(path, {}, members, durable=False)
        check_layout(path)
        with zipfile.ZipFile(path) as archive:
            assert {name: archive.read(name) for name in members} == members
    finally:
        path.unlink(missing_ok=True)


def test_unzip_reads_a_bundle(exported: Exported) -> None:
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("unzip is not installed")
    done = subprocess.run([unzip, "-t", exported.path], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "No errors detected" in done.stdout


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_bundle(tmp_path / name, {"name": "some"}, MEMBERS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_bundle_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_bundle(tmp_path / "some.plait", {}, MEMBERS)
    assert (tmp_path / "some.plait").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_check_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "some.plait"
    path.write_bytes(b"the old one")

    def refuse(unfinished: Path) -> None:
        assert unfinished.parent == tmp_path
        assert zipfile.is_zipfile(unfinished)
        raise ExportError(where="here", expected="a", got="b", action="c")

    with pytest.raises(ExportError, match="here"):
        write_bundle(path, {}, MEMBERS, check=refuse)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(unfinished: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path / "some.plait", {}, MEMBERS, check=interrupt)
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
from plait_export import ExportError
from plait_export.bundle import write_bundle

path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
try:
    write_bundle(path, {"name": "some"}, {"graphs/a.onnx": bytes(100_000)})
except ExportError as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.parametrize("room", [0, 10, 63, 1000, 99_999])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, room: int) -> None:
    path = tmp_path / "some.plait"
    path.write_bytes(b"the old one")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path, str(room)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "with room for the bundle, got File too large" in done.stdout
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_found_out_at_once(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "some.plait"
    for attempt in (lambda: check_target(path), lambda: write_bundle(path, {}, MEMBERS)):
        with pytest.raises(ExportError, match="an existing folder"):
            attempt()
    with pytest.raises(ExportError, match="got a folder"):
        check_target(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_found_out_at_once(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        # Root may write anywhere but where the kernel itself says no.
        path = Path("/proc/some.plait")
    else:
        tmp_path.chmod(0o500)
        path = tmp_path / "some.plait"
    with pytest.raises(ExportError, match="can be written to"):
        check_target(path)
    with pytest.raises(ExportError, match="can be written to"):
        write_bundle(path, {}, MEMBERS)
    tmp_path.chmod(0o700)


def test_numbers_that_are_not_json_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_bundle(tmp_path / "some.plait", {"value": np.nan}, {})
    assert list(tmp_path.iterdir()) == []
