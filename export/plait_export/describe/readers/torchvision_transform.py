"""torchvision-style transforms (read by class name and attributes) to a Frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plait import ConfigError
from plait_export.describe.common import WhenMissing
from plait_export.describe.frame import Filter, Frame
from plait_export.describe.readers.pictures import (
    PILLOW_FILTERS,
    Device,
    Source,
    Steps,
    described,
)

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import Unpack

_FILTERS: dict[str, Filter] = {
    "nearest": "nearest",
    "nearest-exact": "nearest",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "box": "box",
    "lanczos": "lanczos",
}
_NEUTRAL = ("Identity", "RGB", "_convert_to_rgb", "MaybeConvertMode")


def frame_from_transform(
    transform: Any,
    *,
    encoder: nn.Module,
    max_age_ms: float,
    when_missing: WhenMissing,
    **device: Unpack[Device],
) -> Frame:
    """A camera's description out of a transform of Pillow images, as torchvision composes them.

    transform: a Compose (or a list) of Resize, CenterCrop, ToTensor (or PILToTensor and
    ConvertImageDtype, or ToImage and ToDtype), Normalize; or a weights' preset
    (ImageClassification). Known by the names of their classes and attributes: torchvision is not
    imported. device: what no transform says, as in Frame; arithmetic is "exact", Pillow's own,
    unless said otherwise.

    Raises ConfigError, with the step and the reason, for what a Frame can't represent: random
    steps, functions, and orders that resize tensors.
    """
    found = _Found(Source(f"transform {type(transform).__name__}"))
    if type(transform).__name__ == "ImageClassification":
        _preset(found, transform)
    else:
        for step in _listed(found.source, transform):
            _take(found, step)
    return described(_steps(found), encoder, max_age_ms, when_missing, device)


@dataclass
class _Found:
    """What the steps so far amount to."""

    source: Source
    resize: tuple[int, ...] | None = None  # one side: the shorter
    filter: Filter = "bilinear"
    crop: tuple[int, int] | None = None
    tensor: bool = False  # levels have become a tensor
    scale: float | None = None  # of levels, once they are floating-point numbers
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    seen: list[str] = field(default_factory=list)


def _listed(source: Source, transform: Any) -> Iterable[Any]:
    if isinstance(transform, (list, tuple)):
        return transform
    if type(transform).__name__ in ("Compose", "Sequential"):
        steps: Iterable[Any] = getattr(transform, "transforms", transform)
        return steps
    raise ConfigError(
        where="frame_from_transform",
        expected="a Compose of transforms, or ImageClassification",
        got=type(transform).__name__,
        action="Put the steps into a list.",
    )


def _take(found: _Found, step: Any) -> None:
    name = getattr(step, "__name__", None) or type(step).__name__
    if name in ("Compose", "Sequential"):
        for inner in _listed(found.source, step):
            _take(found, inner)
        return
    if name in _NEUTRAL:
        return
    if name not in _TAKERS:
        raise found.source.refuse(
            name,
            f"steps out of {', '.join(_TAKERS)}",
            step,
            "Random steps belong to training; describe others with plait_export.Frame.",
        )
    if name in found.seen:
        raise found.source.refuse(name, "each step once", f"{name} twice", "Join them into one.")
    found.seen.append(name)
    _TAKERS[name](found, step)


def _resize(found: _Found, step: Any) -> None:
    for before in ("CenterCrop", "ToTensor", "PILToTensor", "ToImage", "Normalize"):
        if before in found.seen:
            raise found.source.refuse(
                "Resize", "it before anything else, on a Pillow image", f"it after {before}",
                "Put it first, as the model was trained with Pillow images.",
            )  # fmt: skip
    if getattr(step, "max_size", None) is not None:
        raise found.source.refuse(
            "Resize.max_size", "None", step.max_size, "Pictures would have several sizes."
        )
    size = step.size
    sides = (size,) if isinstance(size, int) else tuple(size)
    if len(sides) not in (1, 2):
        raise found.source.refuse("Resize.size", "one side or two", size, "Correct it.")
    found.resize = tuple(found.source.side("Resize.size", side) for side in sides)
    found.filter = _filter(found.source, getattr(step, "interpolation", "bilinear"))


def _filter(source: Source, interpolation: Any) -> Filter:
    """An InterpolationMode, its value, or Pillow's number of the filter."""
    value = getattr(interpolation, "value", interpolation)
    known = PILLOW_FILTERS.get(value) if isinstance(value, int) else _FILTERS.get(str(value))
    if known is None:
        raise source.refuse(
            "Resize.interpolation", f"one of {', '.join(_FILTERS)}", value, "Use another filter."
        )
    return known


def _crop(found: _Found, step: Any) -> None:
    size = step.size
    sides = (size, size) if isinstance(size, int) else tuple(size) * (3 - len(tuple(size)))
    found.crop = (
        found.source.side("CenterCrop.size", sides[0]),
        found.source.side("CenterCrop.size", sides[1]),
    )


def _to_tensor(found: _Found, step: Any) -> None:
    found.tensor = True
    if type(step).__name__ in ("ToTensor", "MaybeToTensor"):
        found.scale = 1 / 255


def _to_float(found: _Found, step: Any) -> None:
    """ConvertImageDtype scales; ToDtype where it is told to."""
    name = type(step).__name__
    dtype = str(getattr(step, "dtype", "torch.float32"))
    if not found.tensor or dtype != "torch.float32":
        raise found.source.refuse(
            name, "float32 out of a uint8 tensor", dtype, "Put PILToTensor or ToImage before it."
        )
    found.scale = 1 / 255 if name == "ConvertImageDtype" or getattr(step, "scale", False) else 1.0


def _normalize(found: _Found, step: Any) -> None:
    if found.scale is None:
        raise found.source.refuse(
            "Normalize", "floating-point numbers", "levels", "Put ToTensor before it."
        )
    found.statistics = (
        found.source.statistics("Normalize.mean", step.mean),
        found.source.statistics("Normalize.std", step.std),
    )


_TAKERS = {
    "Resize": _resize,
    "CenterCrop": _crop,
    "ToTensor": _to_tensor,
    "MaybeToTensor": _to_tensor,
    "PILToTensor": _to_tensor,
    "ToImage": _to_tensor,
    "ConvertImageDtype": _to_float,
    "ToDtype": _to_float,
    "Normalize": _normalize,
}


def _preset(found: _Found, preset: Any) -> None:
    """The transform of torchvision's classification weights: resize, crop, rescale, normalise."""
    found.resize = tuple(found.source.side("resize_size", side) for side in preset.resize_size)
    found.filter = _filter(found.source, preset.interpolation)
    sides = tuple(preset.crop_size) * (3 - len(preset.crop_size))
    found.crop = (
        found.source.side("crop_size", sides[0]),
        found.source.side("crop_size", sides[1]),
    )
    found.scale = 1 / 255
    found.statistics = (
        found.source.statistics("mean", preset.mean),
        found.source.statistics("std", preset.std),
    )


def _steps(found: _Found) -> Steps:
    if found.resize is None:
        raise found.source.refuse(
            "Resize", "one", "none", "A camera's frames have any size: they have to be resized."
        )
    if found.scale is None:
        raise found.source.refuse(
            "ToTensor", "a step to floating-point numbers", "none", "Add ToTensor."
        )
    shortest = len(found.resize) == 1
    if shortest and found.crop is None:
        raise found.source.refuse(
            "Resize.size", "a height and a width, or a CenterCrop after it", found.resize[0],
            "An encoder takes one size: one side alone leaves the other open.",
        )  # fmt: skip
    resized = (found.resize[0], found.resize[-1])
    size = found.crop or resized
    if size[0] > resized[0] or size[1] > resized[1]:
        raise found.source.refuse(
            "CenterCrop.size", f"at most {list(resized)}, what was resized to", list(size),
            "It would be padded with black: enlarge Resize.",
        )  # fmt: skip
    mean, std = found.statistics or ((0.0,) * 3, (1.0,) * 3)
    return Steps(
        size=size,
        resize_size=resized if shortest or size != resized else None,
        shortest=shortest,
        filter=found.filter,
        rounding="half_even",
        scale=found.scale,
        mean=mean,
        std=std,
    )
