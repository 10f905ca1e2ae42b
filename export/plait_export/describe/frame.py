"""What a user says of a modality that is a camera's frame: colour, grey or depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from plait import ConfigError
from plait.frame import FORMATS, YUV_FORMATS
from plait_export.checks import check_choice, check_module, check_positive, is_number
from plait_export.describe.common import WHEN_MISSING, WhenMissing, check_statistics, per_channel

if TYPE_CHECKING:
    from torch import nn

Channels = Literal["RGB", "BGR", "GRAY", "DEPTH"]
Fit = Literal["stretch", "shortest", "letterbox"]
CropRounding = Literal["down", "half_even"]
Filter = Literal["nearest", "bilinear", "bicubic", "box", "lanczos"]
Arithmetic = Literal["exact", "fast"]
Matrix = Literal["bt601", "bt709", "bt2020"]
Range = Literal["limited", "full"]
FrameLayout = Literal["NCHW", "NHWC"]
FrameDType = Literal["float32", "float16", "uint8"]

CHANNELS = ("RGB", "BGR", "GRAY", "DEPTH")
FITS = ("stretch", "shortest", "letterbox")
CROP_ROUNDINGS = ("down", "half_even")
FILTERS = ("nearest", "bilinear", "bicubic", "box", "lanczos")
ARITHMETICS = ("exact", "fast")
MATRICES = ("bt601", "bt709", "bt2020")
RANGES = ("limited", "full")
LAYOUTS = ("NCHW", "NHWC")
DTYPES = ("float32", "float16", "uint8")

_MOST_PIXELS_A_SIDE = 16384
_LARGEST_HALF = 65504.0


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A modality that is one frame of a camera.

    encoder: a module from [batch, channels, height, width] (layout "NCHW") or
        [batch, height, width, channels] ("NHWC") of `dtype` to an embedding [batch, ...] in
        float32.
    size: height and width of what the encoder sees.
    max_age_ms, when_missing: as in Signal.
    channels: the colours the encoder was trained with, in its order: "RGB", "BGR", "GRAY", or
        "DEPTH" (the 16-bit values of format gray16).
    format: what the camera gives, and the format of a sample that states none; see
        docs/sensors.md. matrix, range: how it encodes colours as luma and chroma; to be stated for
        nv12, nv21, i420, yuyv and uyvy, since a wrong guess is a silent tint.
    fit: "stretch" to the size; "shortest" scales until the shorter side is that of `resize_size`,
        then cuts `size` out of the centre; "letterbox" keeps the aspect and pads with level `pad`.
    resize_size: height and width before the cut out of the centre, where there is one.
    crop_rounding: which pixel the cut starts at where an odd number is left over: "down" as
        transformers, "half_even" as torchvision.
    filter, antialias: the resampling that the encoder was trained with. PIL always antialiases,
        OpenCV never does (but in INTER_AREA, which is "box").
    arithmetic: "fast" stays within one grey level of the filter in real numbers; "exact" is PIL
        bit for bit (8-bit colours, antialias).
    scale, mean, std: the encoder gets (level * scale - mean) / std; mean and std per channel.
    dtype: what the encoder takes. "float16" is the float32 value rounded to nearest, ties to even;
        "uint8" the levels themselves (scale 1, no mean or std), rounded likewise, for encoders
        that normalise by themselves.
    """

    encoder: nn.Module
    size: tuple[int, int]
    max_age_ms: float
    when_missing: WhenMissing
    channels: Channels = "RGB"
    format: str = "bgr8"
    matrix: Matrix | None = None
    range: Range | None = None
    fit: Fit = "stretch"
    resize_size: tuple[int, int] | None = None
    crop_rounding: CropRounding = "down"
    pad: float = 0.0
    filter: Filter = "bilinear"
    antialias: bool = True
    arithmetic: Arithmetic = "fast"
    scale: float = 1.0 / 255.0
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    layout: FrameLayout = "NCHW"
    dtype: FrameDType = "float32"

    @property
    def yuv_matrix(self) -> Matrix:
        return "bt709" if self.matrix is None else self.matrix

    @property
    def yuv_range(self) -> Range:
        return "limited" if self.range is None else self.range

    @property
    def channel_count(self) -> int:
        return 3 if self.channels in ("RGB", "BGR") else 1

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width that the resize aims at, before the cut out of the centre."""
        height, width = self.size if self.resize_size is None else self.resize_size
        return int(height), int(width)

    @property
    def crops(self) -> bool:
        """Whether `size` is cut out of the centre of what was resized."""
        return self.fit == "shortest" or self.resized != tuple(self.size)

    @property
    def means(self) -> tuple[float, ...]:
        return per_channel(self.mean, 0.0, self.channel_count)

    @property
    def stds(self) -> tuple[float, ...]:
        return per_channel(self.std, 1.0, self.channel_count)

    def input_shape(self) -> tuple[int, int, int]:
        """The encoder's input without its batch."""
        height, width = self.size
        if self.layout == "NCHW":
            return (self.channel_count, height, width)
        return (height, width, self.channel_count)

    def to_manifest(self) -> dict[str, Any]:
        """The kind, and the section of the manifest that is named after it."""
        return {
            "kind": "frame",
            "frame": {
                "channels": self.channels,
                "sensor": {
                    "format": self.format,
                    "matrix": self.yuv_matrix,
                    "range": self.yuv_range,
                },
                "resize": {
                    "fit": self.fit,
                    "size": list(self.resized),
                    "filter": self.filter,
                    "antialias": self.antialias,
                    "pad": float(self.pad),
                },
                **self._crop(),
                "arithmetic": self.arithmetic,
                "scale": float(self.scale),
                "mean": list(self.means),
                "std": list(self.stds),
                "layout": self.layout,
                **({} if self.dtype == "float32" else {"dtype": self.dtype}),
            },
        }

    @property
    def largest_value(self) -> float:
        """The largest magnitude that a level can become, before the element type rounds it."""
        most = max(65535.0 if self.channels == "DEPTH" else 255.0, float(self.pad))
        return max(
            max(abs(mean), abs(most * self.scale - mean)) / std
            for mean, std in zip(self.means, self.stds, strict=True)
        )

    def _crop(self) -> dict[str, Any]:
        if not self.crops:
            return {}
        return {"crop": {"size": [int(side) for side in self.size], "rounding": self.crop_rounding}}

    def check(self, where: str) -> None:
        """Raises ConfigError where a field makes no sense; `where` names the modality."""
        check_module(where, "encoder", self.encoder)
        check_positive(where, "max_age_ms", self.max_age_ms)
        check_choice(where, "when_missing", self.when_missing, WHEN_MISSING)
        check_choice(where, "channels", self.channels, CHANNELS)
        check_choice(where, "format", self.format, FORMATS)
        check_choice(where, "fit", self.fit, FITS)
        check_choice(where, "crop_rounding", self.crop_rounding, CROP_ROUNDINGS)
        check_choice(where, "filter", self.filter, FILTERS)
        check_choice(where, "arithmetic", self.arithmetic, ARITHMETICS)
        check_choice(where, "layout", self.layout, LAYOUTS)
        check_choice(where, "dtype", self.dtype, DTYPES)
        check_positive(where, "scale", self.scale)
        _check_size(where, "size", self.size)
        if self.resize_size is not None:
            _check_size(where, "resize_size", self.resize_size)
        _check_yuv(where, self)
        _check_geometry(where, self)
        _check_channels(where, self)
        _check_arithmetic(where, self)
        check_statistics(where, self.mean, self.std, self.channel_count)
        _check_dtype(where, self)


def _check_size(where: str, what: str, size: object) -> None:
    sides = list(size) if isinstance(size, (tuple, list)) else []
    whole = all(isinstance(side, int) and not isinstance(side, bool) for side in sides)
    if len(sides) != 2 or not whole or not all(1 <= side <= _MOST_PIXELS_A_SIDE for side in sides):
        raise ConfigError(
            where=where,
            expected=f"{what} as (height, width), each from 1 to {_MOST_PIXELS_A_SIDE} pixels",
            got=repr(size),
            action="State the height first.",
        )


def _check_yuv(where: str, frame: Frame) -> None:
    for what, value, known in (
        ("matrix", frame.matrix, MATRICES),
        ("range", frame.range, RANGES),
    ):
        if value is not None or frame.format in YUV_FORMATS:
            check_choice(where, what, value, known)


def _check_geometry(where: str, frame: Frame) -> None:
    resized, size = frame.resized, tuple(frame.size)
    if frame.fit == "shortest" and resized[0] != resized[1]:
        raise ConfigError(
            where=where,
            expected="resize_size as (length, length) of the shorter side",
            got=repr(resized),
            action="torchvision's Resize(256) and CenterCrop(224) are resize_size=(256, 256), "
            "size=(224, 224).",
        )
    if frame.fit == "letterbox" and resized != size:
        raise ConfigError(
            where=where,
            expected="no resize_size with fit 'letterbox'",
            got=repr(frame.resize_size),
            action="A letterbox has the encoder's size already.",
        )
    if size[0] > resized[0] or size[1] > resized[1]:
        raise ConfigError(
            where=where,
            expected=f"size inside resize_size {resized}",
            got=repr(size),
            action="The size is cut out of what was resized.",
        )


def _check_channels(where: str, frame: Frame) -> None:
    if (frame.channels == "DEPTH") != (frame.format == "gray16"):
        raise ConfigError(
            where=where,
            expected="channels 'DEPTH' with format 'gray16', and only there",
            got=f"{frame.channels!r} with {frame.format!r}",
            action="8-bit grey is channels 'GRAY' with any other format.",
        )
    most = 65535.0 if frame.channels == "DEPTH" else 255.0
    if not is_number(frame.pad) or not 0.0 <= frame.pad <= most:
        raise ConfigError(
            where=where,
            expected=f"pad as a level from 0 to {most:g}",
            got=repr(frame.pad),
            action="It is padded before scale, mean and std.",
        )


def _check_dtype(where: str, frame: Frame) -> None:
    levels = frame.scale == 1.0 and set(frame.means) == {0.0} and set(frame.stds) == {1.0}
    if frame.dtype == "uint8" and not (levels and frame.channels != "DEPTH"):
        raise ConfigError(
            where=where,
            expected="dtype 'uint8' of 8-bit levels as they are: scale=1, no mean, no std",
            got=f"{frame.channels} with scale {frame.scale:g}, mean {list(frame.means)}, "
            f"std {list(frame.stds)}",
            action="Let the encoder normalise, or choose dtype 'float16' or 'float32'.",
        )
    if frame.dtype == "float16" and frame.largest_value > _LARGEST_HALF:
        raise ConfigError(
            where=where,
            expected=f"values of at most {_LARGEST_HALF:g}, the largest float16",
            got=f"values up to {frame.largest_value:g}",
            action="Choose a smaller scale, for instance 0.001 for metres, or dtype 'float32'.",
        )


def _check_arithmetic(where: str, frame: Frame) -> None:
    if not isinstance(frame.antialias, bool):
        raise ConfigError(
            where=where,
            expected="antialias as True or False",
            got=repr(frame.antialias),
            action="PIL always antialiases, OpenCV does not.",
        )
    filtered = frame.filter != "nearest"
    if (
        frame.arithmetic == "exact"
        and filtered
        and (not frame.antialias or frame.channels == "DEPTH")
    ):
        raise ConfigError(
            where=where,
            expected="arithmetic 'fast' where a filter is not antialiased, or of depth",
            got="'exact'",
            action="Exact means PIL's arithmetic, which has neither.",
        )
