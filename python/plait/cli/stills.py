"""Single frames out of image and NPY files, for modalities that are cameras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plait
from plait.sources.pictures import read_picture


def read_still(path: Path, modality: str, frame: Mapping[str, Any]) -> plait.Frame:
    """A frame as the modality takes it: a .npy in the camera's own format, or a picture.

    frame: the manifest's description. Raises SampleError for a file that can't be read, ConfigError
    where a picture needs Pillow and there is none.
    """
    return read_picture(path, frame["sensor"]["format"])
