"""Pictures: single files and folders of them, as frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plait.errors import Error, SampleError
from plait.frame import Frame
from plait.sources.files import Files
from plait.sources.timed import package

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".npy", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read_picture(path: Path, array_format: str | None = None) -> Frame:
    """A picture file as a frame: rgb8; gray16 where it is 16-bit grey.

    It is turned upright as its EXIF orientation says, as viewers show it. Transparency is dropped.
    array_format: the format of a .npy, which holds a frame as plait.Frame takes it. Raises
    SampleError for a file that can't be read, ConfigError where Pillow is needed and missing.
    """
    try:
        if path.suffix.lower() == ".npy":
            return Frame(np.load(path, allow_pickle=False), array_format)
        return _decode(path)
    except Error:
        raise
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise SampleError(
            where=str(path),
            expected="a picture, or a .npy of a frame in the camera's format",
            got=getattr(error, "strerror", None) or str(error),
            action="Check the file; numpy.save writes frames of any format.",
        ) from error


def _decode(path: Path) -> Frame:
    image = package("PIL.Image", str(path), extra="images")
    upright = package("PIL.ImageOps", str(path), extra="images").exif_transpose
    with image.open(path) as opened:
        picture: Any = upright(opened)
        if picture.mode.startswith("I;16") or picture.mode == "I":
            return Frame(_sixteen_bit(path, picture), "gray16")
        return Frame(np.asarray(picture.convert("RGB")), "rgb8")


def _sixteen_bit(path: Path, picture: Any) -> Any:
    # Pillow holds some 16-bit files in 32 bits.
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise SampleError(
            where=str(path),
            expected="grey levels from 0 to 65535",
            got=f"{values.min()} to {values.max()}",
            action="Save it with 16 bits.",
        )
    return np.ascontiguousarray(values, dtype=np.uint16)


class Pictures(Files):
    """A picture, or the pictures of a folder in the order of their names.

    Args:
        path: a file, or a folder; of the folder's files those ending in one of SUFFIXES.
        name: of the stream.
        period_s: from one picture to the next: the first is of time 0.
        array_format: of .npy files; None for the format that the bundle declares.

    Raises:
        SampleError: no such file, or a folder without pictures; while reading, a file that is none.
    """

    def __init__(
        self,
        path: str | Path,
        name: str = "image",
        *,
        period_s: float = 1.0,
        array_format: str | None = None,
    ) -> None:
        super().__init__(
            name=name, path=path, period_s=period_s, suffixes=SUFFIXES, what="pictures"
        )
        self._format = array_format

    def _read(self, file: Path) -> Frame:
        return read_picture(file, self._format)
