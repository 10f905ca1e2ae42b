"""transformers' image processors, as objects or as preprocessor_config.json, to a Frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from plait import ConfigError
from plait_export.describe.common import WhenMissing
from plait_export.describe.frame import Frame
from plait_export.describe.readers.pictures import (
    PILLOW_FILTERS,
    Device,
    Source,
    Steps,
    described,
    read_json,
)

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import Unpack

_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_BICUBIC, _BILINEAR = 3, 2


class _Family(NamedTuple):
    """What a processor does where its configuration says nothing. square: a bare number as size
    means both sides, not the shorter one. crops: whether a centre of side `crop` is cut out."""

    size: Mapping[str, int]
    statistics: tuple[tuple[float, ...], tuple[float, ...]]
    resample: int = _BICUBIC
    crop: int = 224
    crops: bool = False
    square: bool = True


_SHORTEST = {"shortest_edge": 224}
# image_processor_type: those that resize, cut out, rescale and normalise, in this order.
_FAMILIES = {
    "BeitImageProcessor": _Family({"height": 224, "width": 224}, _HALF),
    "BitImageProcessor": _Family(_SHORTEST, _CLIP, crops=True, square=False),
    "BlipImageProcessor": _Family({"height": 384, "width": 384}, _CLIP),
    "CLIPImageProcessor": _Family(_SHORTEST, _CLIP, crops=True, square=False),
    "ConvNextImageProcessor": _Family({"shortest_edge": 384}, _HALF, square=False),
    "DeiTImageProcessor": _Family({"height": 256, "width": 256}, _HALF, crops=True),
    "EfficientNetImageProcessor": _Family({"height": 346, "width": 346}, _HALF, crop=289),
    "LevitImageProcessor": _Family(_SHORTEST, _IMAGENET, crops=True, square=False),
    "SiglipImageProcessor": _Family({"height": 224, "width": 224}, _HALF, square=False),
    "ViTImageProcessor": _Family({"height": 224, "width": 224}, _HALF, resample=_BILINEAR),
}
_OWN_FIELDS = {
    "ConvNextImageProcessor": ("crop_pct",),
    "EfficientNetImageProcessor": ("rescale_offset", "include_top"),
}
_FIELDS = (
    "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale",
    "rescale_factor", "do_normalize", "image_mean", "image_std",
)  # fmt: skip
# What does not change the values: colours are RGB already, and arrays have one layout.
_WITHOUT_EFFECT = frozenset({
    "image_processor_type", "feature_extractor_type", "processor_class", "do_convert_rgb",
    "do_reduce_labels", "default_to_square", "data_format", "input_data_format",
    "return_tensors", "device", "disable_grouping", "backend", "auto_map",
    "_valid_processor_keys", "_name_or_path", "_processor_class", "transformers_version",
    "use_fast", "model_input_names",
})  # fmt: skip


def frame_from_transformers(
    processor: Any,
    *,
    encoder: nn.Module,
    max_age_ms: float,
    when_missing: WhenMissing,
    **device: Unpack[Device],
) -> Frame:
    """A camera's description out of a transformers image processor.

    processor: the object (or a processor that has one as `image_processor`), the folder of a saved
    model, or its preprocessor_config.json; files are read without importing transformers. What a
    file leaves out is as its class has it. device: what no processor says, as in Frame; arithmetic
    is "exact" (equal to the processor's PIL backend) unless said otherwise; "fast" stays within
    a grey level of it, as the torchvision backend does.

    Raises ConfigError, with the field and the reason, for what a Frame can't represent.
    """
    fields, where = _fields(processor)
    source = Source(where)
    name = _type_name(source, fields)
    _check_known(source, fields, name)
    family = _FAMILIES[name]
    steps = _steps(source, fields, name, family)
    return described(steps, encoder, max_age_ms, when_missing, device)


def _fields(processor: Any) -> tuple[dict[str, Any], str]:
    if isinstance(processor, (str, Path)):
        path = Path(processor)
        path = path / "preprocessor_config.json" if path.is_dir() else path
        return read_json(path, "a preprocessor_config.json"), str(path)
    processor = getattr(processor, "image_processor", processor)
    if not hasattr(processor, "to_dict"):
        raise ConfigError(
            where="frame_from_transformers",
            expected="an image processor of transformers, or the folder it was saved in",
            got=type(processor).__name__,
            action="Pass what AutoImageProcessor.from_pretrained gives.",
        )
    fields = dict(processor.to_dict())
    fields.setdefault("image_processor_type", type(processor).__name__)
    return fields, type(processor).__name__


def _type_name(source: Source, fields: Mapping[str, Any]) -> str:
    said = fields.get("image_processor_type") or fields.get("feature_extractor_type")
    name = str(said).removesuffix("Fast").removesuffix("Pil")
    name = name.replace("FeatureExtractor", "ImageProcessor")
    if name not in _FAMILIES:
        raise source.refuse(
            "image_processor_type",
            f"one of {', '.join(_FAMILIES)}",
            said,
            "Describe the steps with plait_export.Frame, and check them with check_preparation.",
        )
    return name


def _check_known(source: Source, fields: Mapping[str, Any], name: str) -> None:
    known = {*_FIELDS, *_OWN_FIELDS.get(name, ()), *_WITHOUT_EFFECT}
    for field, value in fields.items():
        # do_pad, do_flip_channel_order and others that are off do nothing.
        if field not in known and field.startswith("do_") and value:
            raise source.refuse(
                field, "only steps that a Frame has", value, "Do it in the encoder, or turn it off."
            )
        if field not in known and not field.startswith("do_") and value is not None:
            off = fields.get("do_pad") in (None, False) and field in ("pad_size", "size_divisor")
            if not off:
                raise source.refuse(
                    field, "only fields whose meaning is known", value, "Remove the field."
                )


def _steps(source: Source, fields: Mapping[str, Any], name: str, family: _Family) -> Steps:
    if not _flag(fields, "do_resize", default=True):
        raise source.refuse(
            "do_resize", "true", False, "A camera's frames have any size: they have to be resized."
        )
    edge, target = _target(source, fields, family)
    crops = _flag(fields, "do_center_crop", default=family.crops)
    crop = _crop(source, fields, family) if crops else None
    if name == "LevitImageProcessor" and edge is not None:
        edge = int(256 / 224 * edge)
    if name == "ConvNextImageProcessor":
        if edge is None:
            raise source.refuse("size", "shortest_edge", dict(fields["size"]), "Correct it.")
        if crop is not None:
            raise source.refuse(
                "do_center_crop", "false: size says what is cut out", True, "Turn it off."
            )
        edge, target, crop = _convnext(source, fields, edge)
    if edge is not None and crop is None:
        raise source.refuse(
            "size",
            "a height and a width, or a centre crop",
            {"shortest_edge": edge},
            "An encoder takes one size: turn do_center_crop on, or state height and width.",
        )
    resized = (edge, edge) if edge is not None else target
    assert resized is not None
    size = crop or resized
    if size[0] > resized[0] or size[1] > resized[1]:
        raise source.refuse(
            "crop_size", f"at most {list(resized)}, what was resized to", list(size),
            "It would be padded with black: enlarge size.",
        )  # fmt: skip
    return Steps(
        size=size,
        resize_size=None if size == resized and edge is None else resized,
        shortest=edge is not None,
        filter=_filter(source, fields, family),
        rounding="down",
        **_levels(source, fields, name, family),
    )


def _convnext(
    source: Source, fields: Mapping[str, Any], edge: int
) -> tuple[int | None, tuple[int, int] | None, tuple[int, int] | None]:
    """Below 384 pixels more is resized than is cut out; from there on the picture is stretched."""
    if edge >= 384:
        return None, (edge, edge), None
    fraction = fields.get("crop_pct")
    fraction = 224 / 256 if fraction is None else source.number("crop_pct", fraction)
    return int(edge / fraction), None, (edge, edge)


def _target(
    source: Source, fields: Mapping[str, Any], family: _Family
) -> tuple[int | None, tuple[int, int] | None]:
    """The shorter side, or the height and width, that a picture is resized to."""
    size = _sizes(fields.get("size"), family.size)
    if isinstance(size, Mapping):
        if set(size) == {"height", "width"}:
            sides = (source.side("size", size["height"]), source.side("size", size["width"]))
            return None, sides
        if set(size) == {"shortest_edge"}:
            return source.side("size", size["shortest_edge"]), None
        raise source.refuse(
            "size",
            "height and width, or shortest_edge",
            dict(size),
            "Other limits give pictures of several sizes; an encoder takes one.",
        )
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return None, (source.side("size", size[0]), source.side("size", size[1]))
    side = source.side("size", size)
    return (None, (side, side)) if family.square else (side, None)


def _crop(source: Source, fields: Mapping[str, Any], family: _Family) -> tuple[int, int]:
    size = _sizes(fields.get("crop_size"), family.crop)
    if isinstance(size, Mapping):
        if set(size) != {"height", "width"}:
            raise source.refuse("crop_size", "height and width", dict(size), "State both.")
        return source.side("crop_size", size["height"]), source.side("crop_size", size["width"])
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return source.side("crop_size", size[0]), source.side("crop_size", size[1])
    side = source.side("crop_size", size)
    return side, side


def _sizes(said: Any, default: Any) -> Any:
    """A size as said, without the sides that it leaves open."""
    if said is None:
        return default
    if hasattr(said, "items"):
        return {key: value for key, value in said.items() if value is not None}
    return said


def _filter(source: Source, fields: Mapping[str, Any], family: _Family) -> Any:
    number = fields.get("resample")
    number = family.resample if number is None else int(number)
    if number not in PILLOW_FILTERS:
        raise source.refuse(
            "resample", f"a filter out of {PILLOW_FILTERS}", number, "Train with another filter."
        )
    return PILLOW_FILTERS[number]


def _levels(
    source: Source, fields: Mapping[str, Any], name: str, family: _Family
) -> dict[str, Any]:
    """scale, mean and std such that (level * scale - mean) / std is what the processor gives."""
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    if _flag(fields, "do_rescale", default=True):
        factor = fields.get("rescale_factor")
        scale = 1 / 255 if factor is None else source.number("rescale_factor", factor)
    if _flag(fields, "do_normalize", default=True):
        means, stds = fields.get("image_mean"), fields.get("image_std")
        mean = source.statistics("image_mean", family.statistics[0] if means is None else means)
        std = source.statistics("image_std", family.statistics[1] if stds is None else stds)
    if name == "EfficientNetImageProcessor":
        rescales = _flag(fields, "do_rescale", default=True)
        if rescales and _flag(fields, "rescale_offset", default=False):
            mean = tuple(value + 1.0 for value in mean)
        if _flag(fields, "include_top", default=True):  # divided by std once more
            again = fields.get("image_std")
            again = source.statistics("image_std", family.statistics[1] if again is None else again)
            std = tuple(first * second for first, second in zip(std, again, strict=True))
    return {"scale": scale, "mean": mean, "std": std}


def _flag(fields: Mapping[str, Any], field: str, *, default: bool) -> bool:
    value = fields.get(field)
    return default if value is None else bool(value)
