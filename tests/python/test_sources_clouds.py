"""Point clouds out of files: each format gives the values that were written, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plait import SampleError
from plait.sources import Clouds, read_cloud

CHANNELS = ("x", "y", "z", "intensity")
XYZI = "x:F4 y:F4 z:F4 intensity:F4"


@pytest.fixture
def cloud(generator: np.random.Generator) -> np.ndarray:
    return generator.normal(0.0, 30.0, (int(generator.integers(1, 90)), 4)).astype(np.float32)


def pcd(layout: str, points: int, data: str, body: bytes) -> bytes:
    """layout: "name:type size" of each field, as in "x:F4 ring:U2"."""
    named = [field.split(":") for field in layout.split()]
    fields = " ".join(name for name, _ in named)
    types, sizes = (" ".join(kind[part] for _, kind in named) for part in (0, 1))
    count = " ".join("1" for _ in named)
    header = (
        f"# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS {fields}\nSIZE {sizes}\n"
        f"TYPE {types}\nCOUNT {count}\nWIDTH {points}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\n"
        f"POINTS {points}\nDATA {data}\n"
    )
    return header.encode() + body


def test_arrays_are_read_as_they_are(tmp_path: Path, cloud: np.ndarray) -> None:
    for dtype in (np.float32, np.float64):
        np.save(tmp_path / "cloud.npy", cloud.astype(dtype))
        found = read_cloud(tmp_path / "cloud.npy", CHANNELS)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, cloud)


def test_float32_rows_are_read(tmp_path: Path, cloud: np.ndarray) -> None:
    cloud.astype("<f4").tofile(tmp_path / "cloud.bin")
    np.testing.assert_array_equal(read_cloud(tmp_path / "cloud.bin", CHANNELS), cloud)
    with pytest.raises(SampleError, match="no rows of 7"):
        cloud[:1].astype("<f4").tofile(tmp_path / "cloud.bin")
        read_cloud(tmp_path / "cloud.bin", tuple("abcdefg"))


def test_columns_of_a_pcd_are_found_by_name(tmp_path: Path, cloud: np.ndarray) -> None:
    # As ROS writes them: padding between, a ring of 16 bits, another order.
    layout = np.dtype(
        [("y", "<f4"), ("_", "<u4"), ("ring", "<u2"), ("x", "<f8"), ("z", "<f4"), ("i", "<u1")]
    )
    rows = np.zeros(len(cloud), layout)
    rows["x"], rows["y"], rows["z"] = cloud[:, 0], cloud[:, 1], cloud[:, 2]
    rows["i"] = np.arange(len(cloud)) % 256
    fields = "y:F4 _:U4 ring:U2 x:F8 z:F4 intensity:U1"
    binary = pcd(fields, len(cloud), "binary", rows.tobytes())
    (tmp_path / "cloud.pcd").write_bytes(binary)
    found = read_cloud(tmp_path / "cloud.pcd", CHANNELS)
    np.testing.assert_array_equal(found[:, :3], cloud[:, :3])
    np.testing.assert_array_equal(found[:, 3], rows["i"])


def test_an_ascii_pcd_is_read_and_nan_is_no_error(tmp_path: Path, cloud: np.ndarray) -> None:
    cloud[0, 0] = np.nan
    body = "\n".join(" ".join(map(repr, map(float, row))) for row in cloud).encode()
    text = pcd(XYZI, len(cloud), "ascii", body)
    (tmp_path / "cloud.PCD").write_bytes(text)
    np.testing.assert_array_equal(read_cloud(tmp_path / "cloud.PCD", CHANNELS), cloud)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("none.npy", None),
        ("text.npy", b"hello"),
        ("short.pcd", pcd(XYZI, 9, "binary", b"\0" * 40)),
        ("lacks.pcd", pcd("x:F4 y:F4 z:F4", 1, "binary", b"\0" * 12)),
        ("packed.pcd", pcd(XYZI, 1, "binary_compressed", b"")),
        ("headless.pcd", b"x y z\n1 2 3"),
        ("half.pcd", b"VERSION 0.7\nDATA ascii\n"),
        ("words.pcd", pcd(XYZI, 1, "ascii", b"a b c d")),
        ("type.pcd", pcd("x:F4 y:F4 z:F4 intensity:F3", 1, "binary", b"\0" * 15)),
        ("kind.pcd", pcd("x:F4 y:F4 z:F4 intensity:Q4", 1, "binary", b"\0" * 16)),
        ("number.pcd", b"FIELDS x y z intensity\nSIZE 4\nTYPE F\nPOINTS many\nDATA ascii\n"),
    ],
)
def test_what_is_no_cloud_is_refused(tmp_path: Path, name: str, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(SampleError) as refusal:
        read_cloud(tmp_path / name, CHANNELS)
    assert name in refusal.value.where
    assert all((refusal.value.expected, refusal.value.got, refusal.value.action))


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path, cloud: np.ndarray) -> None:
    for index in (2, 0, 1):
        np.save(tmp_path / f"{index}.npy", cloud + np.float32(index))
    (tmp_path / "notes.txt").write_text("not a cloud")
    with Clouds(tmp_path, CHANNELS, "lidar", period_s=0.5) as source:
        assert source.duration_ns == 1_000_000_000
        found = list(source)
    assert [(timed.name, timed.time_ns) for timed in found] == [
        ("lidar", 0),
        ("lidar", 500_000_000),
        ("lidar", 1_000_000_000),
    ]
    for index, timed in enumerate(found):
        np.testing.assert_array_equal(timed.sample, cloud + np.float32(index))


def test_no_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pcd"):
        with pytest.raises(SampleError):
            Clouds(path, CHANNELS)
