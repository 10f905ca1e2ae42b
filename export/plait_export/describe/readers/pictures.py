"""What the readers of picture transforms share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from plait import ConfigError
from plait_export.checks import is_number
from plait_export.describe.common import WhenMissing
from plait_export.describe.frame import (
    Arithmetic,
    CropRounding,
    Filter,
    Frame,
    FrameLayout,
    Matrix,
    Range,
)

if TYPE_CHECKING:
    from torch import nn


class Device(TypedDict, total=False):
    """What no transform says: the camera, the layout, and which arithmetic; as in Frame."""

    format: str
    matrix: Matrix | None
    range: Range | None
    layout: FrameLayout
    arithmetic: Arithmetic


@dataclass(frozen=True)
class Source:
    """What is being read, to name it in refusals."""

    where: str

    def refuse(self, field: str, expected: str, got: object, action: str) -> ConfigError:
        """The error for a field that no description represents."""
        return ConfigError(
            where=f"{self.where}, {field}", expected=expected, got=repr(got), action=action
        )

    def number(self, field: str, value: object) -> float:
        """A finite number."""
        if not is_number(value):
            raise self.refuse(field, "a finite number", value, "Correct the configuration.")
        return float(value)  # type: ignore[arg-type]

    def side(self, field: str, value: object) -> int:
        """A whole number of pixels."""
        if not is_number(value) or float(value) != int(value) or int(value) < 1:  # type: ignore[call-overload, arg-type]
            raise self.refuse(
                field, "a whole number of pixels", value, "Correct the configuration."
            )
        return int(value)  # type: ignore[call-overload, no-any-return]

    def statistics(self, field: str, value: object) -> tuple[float, ...]:
        """One number for each of three channels; one number counts for all."""
        values = [value] * 3 if is_number(value) else value
        if hasattr(values, "tolist"):
            values = values.tolist()
        if not isinstance(values, Sequence) or len(values) != 3:
            raise self.refuse(field, "one number a channel of three", value, "Give three.")
        return tuple(self.number(field, number) for number in values)


# Pillow's numbers of its filters.
PILLOW_FILTERS: Mapping[int, Filter] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
}


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What a transform does to a picture, in the order in which every description does it."""

    size: tuple[int, int]
    resize_size: tuple[int, int] | None
    shortest: bool
    filter: Filter
    rounding: CropRounding
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


def described(
    steps: Steps,
    encoder: nn.Module,
    max_age_ms: float,
    when_missing: WhenMissing,
    device: Device,
) -> Frame:
    """The description of a colour camera that does these steps."""
    return Frame(
        encoder=encoder,
        size=steps.size,
        max_age_ms=max_age_ms,
        when_missing=when_missing,
        fit="shortest" if steps.shortest else "stretch",
        resize_size=steps.resize_size,
        crop_rounding=steps.rounding,
        filter=steps.filter,
        scale=steps.scale,
        mean=steps.mean,
        std=steps.std,
        **{"arithmetic": "exact", **device},  # type: ignore[arg-type]
    )


def read_json(path: Path, what: str) -> dict[str, Any]:
    """A JSON object out of a file. Raises ConfigError."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            where=str(path),
            expected=what,
            got=getattr(error, "strerror", None) or str(error),
            action="Name the file or the folder that the model was saved in.",
        ) from error
    if not isinstance(read, dict):
        raise ConfigError(
            where=str(path), expected=what, got=type(read).__name__, action="Check the file."
        )
    return read
