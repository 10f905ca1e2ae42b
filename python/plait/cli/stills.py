"""Single frames out of image and NPY files, for modalities that are cameras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import plait
from plait import ConfigError, SampleError


def read_still(path: Path, modality: str, frame: Mapping[str, Any]) -> plait.Frame:
    """A frame as the modality takes it: a .npy in the camera's own format, or a picture.

    frame: the manifest's description. Raises SampleError for a file that can't be read, ConfigError
    where a picture needs Pillow and there is none.
    """
    try:
        if path.suffix.lower() == ".npy":
            return plait.Frame(np.load(path, allow_pickle=False), frame["sensor"]["format"])
        return _picture(path)
    except (OSError, ValueError, EOFError) as error:
        raise SampleError(
            where=f"{path}, modality {modality}",
            expected="a picture, or a .npy of a frame in the camera's format",
            got=str(error),
            action="Check the file; numpy.save writes frames of any format.",
        ) from error


def _picture(path: Path) -> plait.Frame:
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError(
            where=str(path),
            expected="the package Pillow, which reads pictures",
            got=str(error),
            action="pip install 'plait[images]', or pass the frame as a .npy.",
        ) from error
    with Image.open(path) as image:
        if image.mode.startswith("I;16"):
            return plait.Frame(np.asarray(image, dtype=np.uint16), "gray16")
        return plait.Frame(np.asarray(image.convert("RGB")), "rgb8")
