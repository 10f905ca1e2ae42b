"""open_clip's preprocessing configuration to a Frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait import ConfigError
from plait_export.describe.common import WhenMissing
from plait_export.describe.frame import Filter, Frame
from plait_export.describe.readers.pictures import Device, Source, Steps, described, read_json

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import Unpack

# What open_clip takes where a configuration says nothing.
_DEFAULTS: Mapping[str, Any] = {
    "size": 224,
    "mode": "RGB",
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
    "fill_color": 0,
}
_FILTERS: Mapping[str, Filter] = {"bicubic": "bicubic", "bilinear": "bilinear"}


def frame_from_open_clip(
    config: Any,
    *,
    encoder: nn.Module,
    max_age_ms: float,
    when_missing: WhenMissing,
    **device: Unpack[Device],
) -> Frame:
    """A camera's description out of what open_clip says of a model.

    config: an open_clip_config.json (path, folder or dict), or a preprocess_cfg (a dict, or a model
    whose `visual` has it). What it leaves out is as open_clip has it. device: what it does not
    say, as in Frame; arithmetic is "exact", Pillow's own, unless said otherwise.

    resize_mode "longest" becomes a letterbox: the same but where a side ends half-way between two
    pixels, which open_clip rounds after a division and Plait after a multiplication.

    Raises ConfigError, with the field and the reason, for what a Frame can't represent.
    """
    fields, where = _fields(config)
    source = Source(where)
    for field, value in fields.items():
        if field not in _DEFAULTS:
            raise source.refuse(field, "fields that open_clip has", value, "Remove it.")
    said = {**_DEFAULTS, **{key: value for key, value in fields.items() if value is not None}}
    if said["mode"] != "RGB":
        raise source.refuse("mode", "RGB", said["mode"], "open_clip itself takes RGB only.")
    if said["interpolation"] not in _FILTERS:
        raise source.refuse(
            "interpolation", "bicubic or bilinear", said["interpolation"],
            "Choose the one that the model is evaluated with.",
        )  # fmt: skip
    size, mode = _size(source, said["size"]), said["resize_mode"]
    if mode not in ("shortest", "squash", "longest"):
        raise source.refuse("resize_mode", "shortest, squash or longest", mode, "Correct it.")
    if mode == "shortest" and size[0] != size[1]:
        raise source.refuse(
            "size", "a square where resize_mode is shortest", list(size),
            "open_clip fits each side to its own there; use squash or longest.",
        )  # fmt: skip
    frame = described(
        Steps(
            size=size,
            resize_size=size if mode == "shortest" else None,
            shortest=mode == "shortest",
            filter=_FILTERS[said["interpolation"]],
            rounding="half_even",
            scale=1 / 255,
            mean=source.statistics("mean", said["mean"]),
            std=source.statistics("std", said["std"]),
        ),
        encoder,
        max_age_ms,
        when_missing,
        device,
    )
    if mode == "longest":
        return replace(frame, fit="letterbox", pad=_fill(source, said["fill_color"]))
    return frame


def _fields(config: Any) -> tuple[dict[str, Any], str]:
    """preprocess_cfg, with the size from the model's configuration where it has none."""
    where = "open_clip configuration"
    if isinstance(config, (str, Path)):
        path = Path(config)
        path = path / "open_clip_config.json" if path.is_dir() else path
        config, where = read_json(path, "an open_clip_config.json"), str(path)
    visual = getattr(config, "visual", None)
    config = getattr(visual, "preprocess_cfg", config)
    if not isinstance(config, Mapping):
        raise ConfigError(
            where="frame_from_open_clip",
            expected="an open_clip_config.json, a preprocess_cfg, or a model of open_clip",
            got=type(config).__name__,
            action="Pass model.visual.preprocess_cfg.",
        )
    if "model_cfg" not in config and "preprocess_cfg" not in config:
        return dict(config), where
    fields = dict(config.get("preprocess_cfg", {}))
    size = config.get("model_cfg", {}).get("vision_cfg", {}).get("image_size")
    if size is not None:
        fields.setdefault("size", size)
    return fields, where


def _size(source: Source, size: Any) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
    if len(sides) != 2:
        raise source.refuse("size", "one side, or height and width", size, "Correct it.")
    return source.side("size", sides[0]), source.side("size", sides[1])


def _fill(source: Source, fill: Any) -> float:
    levels = set(fill) if isinstance(fill, (list, tuple)) else {fill}
    if len(levels) != 1:
        raise source.refuse(
            "fill_color", "one level for all channels", fill, "A Frame pads with one level."
        )
    return source.number("fill_color", levels.pop())
