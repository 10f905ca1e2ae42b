"""Holds Plait's preparation of real samples against the one that a model was trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import plait
from plait import ConfigError
from plait_export.alone import NAME, load_alone
from plait_export.describe import Frame, Modality, Points, Signal, Sound, Text
from plait_export.errors import ExportError

Values = NDArray[np.float64]

# Where libraries put the encoder's input, among what else they return.
_OUTPUTS = ("pixel_values", "input_features", "input_values", "input_ids")


@dataclass(frozen=True)
class PreparationReport:
    """How far Plait's preparation was from the original's.

    unit: of the errors. max_error, mean_error: over all values of all samples. sample, position:
    where the largest was: the number of the sample, and the index into the encoder's input without
    its batch. prepared, expected: the two values there, as the encoder gets them. tolerance: what
    was allowed, in unit.
    """

    samples: int
    unit: str
    max_error: float
    mean_error: float
    tolerance: float
    sample: int
    position: tuple[int, ...]
    prepared: float
    expected: float

    @property
    def ok(self) -> bool:
        """Whether all samples are prepared alike."""
        return self.max_error <= self.tolerance

    def require(self) -> None:
        """Raises ExportError where they are not."""
        if not self.ok:
            raise ExportError(
                where=f"preparation, sample {self.sample}, at {list(self.position)}",
                expected=f"{self.expected:g}, as the original prepares it, within "
                f"{self.tolerance:g} {self.unit}",
                got=f"{self.prepared:g}, which is {self.max_error:g} {self.unit} off",
                action="Compare the description with the original step by step: size, filter, "
                "order of channels, mean and std.",
            )


def check_preparation(
    modality: Modality,
    original: Callable[..., Any],
    samples: Sequence[Any],
    *,
    tolerance: float | None = None,
) -> PreparationReport:
    """Runs the original beside Plait's core on real samples.

    original: what the model was trained with; called with one sample, it returns the encoder's
    input, with or without a batch, as an array or tensor, or under one of the names that
    transformers uses (pixel_values, input_features, ...). An image processor of transformers or a
    Compose can be passed as it is.
    samples: of a Frame: Pillow images or RGB arrays [height, width, 3] uint8; the original gets
    them as Pillow images. Of a Sound: float32 [frames] at its rate_hz. Of a Signal: as a model
    takes it. Of a Text: str. Of Points: an array [points, channels]; NaN equals NaN. The original
    gets the same.
    tolerance: in the unit, which is grey levels of a Frame, log units of a LogMel, ids of a Text.
    None: rounding, and 1.5 levels where arithmetic is "fast" (Pillow rounds twice). Bicubic and
    lanczos overshoot at hard edges, which Pillow clips between its passes and "fast" does not:
    there a few pixels differ by more.

    Raises ConfigError where there are no samples or the original's shape is another.
    """
    if len(samples) == 0:
        raise ConfigError(
            where="check_preparation",
            expected="at least one sample",
            got="none",
            action="Pass real photos, recordings or texts.",
        )
    check = _CHECKS[type(modality)]
    model = load_alone(modality)
    worst: PreparationReport | None = None
    total = 0.0
    for index, sample in enumerate(samples):
        ours = model.prepare(NAME, check.for_core(modality, sample))[0]
        theirs = _array(check.ask(original, modality, sample), ours.shape, index)
        error = check.differ(modality, ours.astype(np.float64), theirs)
        total += float(error.mean())
        position = np.unravel_index(int(np.argmax(error)), error.shape)
        if worst is None or float(error[position]) > worst.max_error:
            worst = PreparationReport(
                samples=len(samples),
                unit=check.unit,
                max_error=float(error[position]),
                mean_error=0.0,
                tolerance=check.tolerance(modality) if tolerance is None else tolerance,
                sample=index,
                position=tuple(int(at) for at in position),
                prepared=float(ours[position]),
                expected=float(theirs[position]),
            )
    assert worst is not None
    return replace(worst, mean_error=total / len(samples))


class _Check(NamedTuple):
    """How samples of a kind are handed over, and what a difference between inputs amounts to."""

    unit: str
    for_core: Callable[[Any, Any], Any]  # modality, sample
    ask: Callable[[Callable[..., Any], Any, Any], Any]  # original, modality, sample
    differ: Callable[[Any, Values, Values], Values]  # modality, ours, theirs -> errors in unit
    tolerance: Callable[[Any], float]


def _rgb(sample: Any) -> NDArray[np.uint8]:
    array = np.asarray(sample.convert("RGB") if hasattr(sample, "convert") else sample)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ConfigError(
            where="check_preparation",
            expected="a Pillow image, or an RGB array [height, width, 3] of uint8",
            got=f"shape {list(array.shape)} of {array.dtype}",
            action="Convert the photo to RGB.",
        )
    return np.ascontiguousarray(array)


def _picture(sample: Any) -> Any:
    from PIL import Image

    return Image.fromarray(_rgb(sample))


def _levels(frame: Frame) -> Values:
    """Grey levels a unit of the encoder's input, per channel."""
    levels = np.array(frame.stds, np.float64) / frame.scale
    return levels[:, np.newaxis, np.newaxis] if frame.layout == "NCHW" else levels


def _features(sound: Sound) -> Values:
    """Features (of LogMel its log units) a unit of the encoder's input, per band."""
    section = sound.to_manifest()["sound"]
    std = np.array(section["std"], np.float64)
    return std[:, np.newaxis] if section.get("layout") == "NFT" else std


def _ask_about_sound(original: Callable[..., Any], sound: Sound, sample: Any) -> Any:
    """Feature extractors of transformers want to know the rate, and return lists unless told."""
    if hasattr(original, "sampling_rate"):
        return original(sample, sampling_rate=int(sound.rate_hz), return_tensors="np")
    return original(sample)


def _ask_about_text(original: Callable[..., Any], text: Text, sample: str) -> Any:
    """Tokenizers of transformers have to be told how long a text is to be."""
    if not hasattr(original, "model_max_length"):
        return original(sample)
    said = original(
        sample,
        add_special_tokens=text.special_tokens,
        padding="max_length",
        max_length=text.tokens,
        truncation=True,
    )
    return [said["input_ids"], said["attention_mask"]] if text.mask else said["input_ids"]


def _differ_in_points(_: Points, ours: Values, theirs: Values) -> Values:
    """Infinite where one has a point and the other has none."""
    error = np.abs(ours - theirs)
    error[np.isnan(ours) & np.isnan(theirs)] = 0.0
    return np.nan_to_num(error, nan=np.inf)


_CHECKS: Mapping[type, _Check] = {
    Frame: _Check(
        unit="grey levels",
        for_core=lambda _, sample: plait.Frame(_rgb(sample), "rgb8"),
        ask=lambda original, _, sample: original(_picture(sample)),
        differ=lambda frame, ours, theirs: np.abs(ours - theirs) * _levels(frame),
        tolerance=lambda frame: 1e-3 if frame.arithmetic == "exact" else 1.5,
    ),
    Points: _Check(
        unit="of the encoder's input",
        for_core=lambda _, sample: sample,
        ask=lambda original, _, sample: original(sample),
        differ=_differ_in_points,
        tolerance=lambda _: 1e-4,
    ),
    Signal: _Check(
        unit="of the encoder's input",
        for_core=lambda _, sample: sample,
        ask=lambda original, _, sample: original(sample),
        differ=lambda _, ours, theirs: np.abs(ours - theirs),
        tolerance=lambda _: 1e-4,
    ),
    Sound: _Check(
        unit="of the features before mean and std",
        for_core=lambda sound, sample: plait.Sound(sample, sound.rate_hz),
        ask=_ask_about_sound,
        differ=lambda sound, ours, theirs: np.abs(ours - theirs) * _features(sound),
        tolerance=lambda _: 1e-3,
    ),
    Text: _Check(
        unit="ids",
        for_core=lambda _, sample: sample,
        ask=_ask_about_text,
        differ=lambda _, ours, theirs: (ours != theirs).astype(np.float64),
        tolerance=lambda _: 0.0,
    ),
}


def _array(returned: Any, shape: tuple[int, ...], index: int) -> Values:
    """What an original returned, as one sample's input."""
    for name in _OUTPUTS:
        if hasattr(returned, "keys") and name in returned:
            returned = returned[name]
            break
    if isinstance(returned, (list, tuple)) and len(returned) == 1:
        returned = returned[0]
    if hasattr(returned, "detach"):
        returned = returned.detach().cpu().numpy()
    array = np.asarray(returned, dtype=np.float64)
    if array.ndim == len(shape) + 1 and array.shape[0] == 1:
        array = array[0]
    if array.shape != shape:
        raise ConfigError(
            where=f"check_preparation, sample {index}",
            expected=f"the original to return what Plait prepares: shape {list(shape)}",
            got=f"shape {list(array.shape)}",
            action="Compare sizes and layout, or wrap the original in a function.",
        )
    return array
