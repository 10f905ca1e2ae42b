"""Point clouds: single files and folders of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.errors import SampleError
from plait.sources.files import Files

SUFFIXES = (".bin", ".npy", ".pcd")
_TYPES = {"F": "f", "I": "i", "U": "u"}


def read_cloud(path: str | Path, channels: Sequence[str]) -> NDArray[Any]:
    """A file's points [points, channels], float32 or float64, in the columns named.

    .npy: [points, channels]. .bin: float32, little-endian, point after point, as KITTI and nuScenes
    have it. .pcd: PCL's format, ASCII or binary; columns are found by their names.
    Raises SampleError for a file that can't be read, or has other columns.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return _wide(np.load(path, allow_pickle=False))
        if path.suffix.lower() == ".pcd":
            return _read_pcd(path.read_bytes(), channels)
        return _of_rows(np.fromfile(path, "<f4"), len(channels))
    except (OSError, ValueError, TypeError, KeyError, EOFError) as error:
        raise SampleError(
            where=str(path),
            expected=f"a .npy, .bin or .pcd of {', '.join(channels)}",
            got=getattr(error, "strerror", None) or str(error),
            action="Check the file; numpy.save writes [points, channels].",
        ) from error


def _wide(values: NDArray[Any]) -> NDArray[Any]:
    """float64 as it is, everything else as float32."""
    return values if values.dtype == np.float64 else values.astype(np.float32, copy=False)


def _of_rows(values: NDArray[Any], columns: int) -> NDArray[Any]:
    if len(values) % columns:
        raise ValueError(f"{len(values)} numbers, which are no rows of {columns}")
    return values.reshape(-1, columns)


def _read_pcd(data: bytes, channels: Sequence[str]) -> NDArray[Any]:
    """By the header's FIELDS, SIZE, TYPE and COUNT; what is compressed is refused."""
    said, begin = _header(data)
    fields, counts = said["FIELDS"], [int(count) for count in said.get("COUNT", [])]
    if any(count != 1 for count in counts):
        raise ValueError("a field of several values")
    lacking = [name for name in channels if name not in fields]
    if lacking:
        raise ValueError(f"fields {', '.join(fields)}, without {', '.join(lacking)}")
    points = int(said["POINTS"][0])
    if said["DATA"] == ["binary"]:
        types = [
            f"<{_TYPES[kind]}{size}" for kind, size in zip(said["TYPE"], said["SIZE"], strict=True)
        ]
        # Padding is called "_", perhaps more than once.
        names = [f"{index} {name}" for index, name in enumerate(fields)]
        rows = np.frombuffer(data, np.dtype(list(zip(names, types, strict=True))), points, begin)
        columns = [rows[names[fields.index(name)]] for name in channels]
    elif said["DATA"] == ["ascii"]:
        text = _of_rows(np.array(data[begin:].split(), dtype=np.float64), len(fields))[:points]
        columns = [text[:, fields.index(name)] for name in channels]
    else:
        raise ValueError(f"DATA {' '.join(said['DATA'])}; pcl_convert_pcd_ascii_binary converts it")
    return np.stack([column.astype(np.float32) for column in columns], axis=1)


def _header(data: bytes) -> tuple[dict[str, list[str]], int]:
    """The lines of a .pcd's header by their first word, and where the points begin."""
    said: dict[str, list[str]] = {}
    begin = 0
    while "DATA" not in said:
        end = data.find(b"\n", begin)
        if end < 0:
            raise ValueError("no header of a .pcd")
        words = data[begin:end].decode("ascii").split()
        begin = end + 1
        if words and not words[0].startswith("#"):
            said[words[0]] = words[1:]
    needed = [word for word in ("FIELDS", "SIZE", "TYPE", "POINTS") if not said.get(word)]
    if needed:
        raise ValueError(f"a header without {', '.join(needed)}")
    return said, begin


class Clouds(Files):
    """A cloud, or the clouds of a folder in the order of their names, as arrays.

    Args:
        path: a file, or a folder; of the folder's files those ending in one of SUFFIXES.
        channels: the columns, in the sensor's order.
        name: of the stream.
        period_s: from one cloud to the next: the first is of time 0.

    Raises:
        SampleError: no such file, or a folder without clouds; while reading, a file that is none.
    """

    def __init__(
        self,
        path: str | Path,
        channels: Sequence[str],
        name: str = "points",
        *,
        period_s: float = 0.1,
    ) -> None:
        super().__init__(name=name, path=path, period_s=period_s, suffixes=SUFFIXES, what="clouds")
        self._channels = tuple(channels)

    def _read(self, file: Path) -> NDArray[Any]:
        return read_cloud(file, self._channels)
