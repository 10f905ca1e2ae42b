"""Checks the real samples an export rests on: for calibration, and held out with their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import ConfigError
from plait_export.clouds import check_cloud
from plait_export.describe import (
    Classification,
    Deployment,
    Frame,
    Generation,
    Points,
    Regression,
    Signal,
    Sound,
    Text,
)
from plait_export.frames import check_frame
from plait_export.sounds import check_sound
from plait_export.texts import check_text

# Raw samples by modality: arrays; of a text, a str.
Sample = Mapping[str, Any]

_DTYPES = ("float32", "float64", "int16")


@dataclass(frozen=True)
class HeldOut:
    """Samples a model was not trained on, and what each head should answer.

    targets: per head one array [samples, ...]; for a classification the index of the label, for a
    generation the text.
    """

    samples: tuple[Sample, ...]
    targets: Mapping[str, NDArray[Any]]


def check_samples(deployment: Deployment, samples: Sequence[Sample], what: str) -> list[Sample]:
    """The samples, each with a raw array of what every modality declares; or ConfigError.

    All modalities have to be in every sample: what is missing on the device is left out by the
    exporter itself, so that every presence set is judged on the same samples.
    """
    listed = _listed(samples, what)
    if len(listed) == 0:
        raise ConfigError(
            where=what,
            expected="at least one sample",
            got="none",
            action="Pass real samples: a few hundred to calibrate, all there are to judge.",
        )
    for index, sample in enumerate(listed):
        _check_sample(deployment, sample, f"{what}, sample {index}")
    return listed


def check_held_out(deployment: Deployment, pairs: Sequence[tuple[Sample, Any]]) -> HeldOut:
    """Pairs of a sample and its target (one value, or one a head by name); or ConfigError."""
    what = "held-out"
    listed = _listed(pairs, what)
    for index, pair in enumerate(listed):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ConfigError(
                where=f"{what}, sample {index}",
                expected="a pair (sample, target)",
                got=type(pair).__name__,
                action="Pass held_out=[({'modality': window}, target), ...].",
            )
    samples = check_samples(deployment, [pair[0] for pair in listed], what)
    targets: dict[str, NDArray[Any]] = {}
    for name, head in deployment.heads.items():
        values = [
            _target(deployment, name, pair[1], f"{what}, sample {index}")
            for index, pair in enumerate(listed)
        ]
        if isinstance(head, Classification):
            labels = [
                _label_index(head, value, f"{what}, sample {index}, head {name}")
                for index, value in enumerate(values)
            ]
            targets[name] = np.asarray(labels, dtype=np.int64)
        elif isinstance(head, Generation):
            targets[name] = _texts(values, f"{what}, head {name}")
        else:
            targets[name] = _stacked(head, name, values, what)
    return HeldOut(samples=tuple(samples), targets=targets)


def _listed(values: Iterable[Any], what: str) -> list[Any]:
    try:
        return list(values)
    except TypeError as error:
        raise ConfigError(
            where=what,
            expected="a list of samples",
            got=type(values).__name__,
            action="Pass [{'modality': window}, ...]; held_out=[({...}, target), ...].",
        ) from error


def _check_sample(deployment: Deployment, sample: object, where: str) -> None:
    names = tuple(deployment.modalities)
    if not isinstance(sample, Mapping) or set(sample) != set(names):
        got = ", ".join(map(str, sample)) if isinstance(sample, Mapping) else type(sample).__name__
        raise ConfigError(
            where=where,
            expected=f"a dict with exactly {', '.join(names)}",
            got=got or "an empty dict",
            action="Every sample needs all modalities: the exporter leaves them out by itself.",
        )
    for name, modality in deployment.modalities.items():
        _CHECKS[type(modality)](modality, sample[name], f"{where}, modality {name}")


def _check_window(signal: Signal, values: object, where: str) -> None:
    shape = (signal.window, len(signal.sensor_channel_names))
    if not isinstance(values, np.ndarray) or values.dtype.name not in _DTYPES:
        got = values.dtype.name if isinstance(values, np.ndarray) else type(values).__name__
        raise ConfigError(
            where=where,
            expected=f"a NumPy array of {', '.join(_DTYPES)}",
            got=got,
            action="Pass raw samples as the sensor gives them.",
        )
    if values.shape != shape:
        raise ConfigError(
            where=where,
            expected=f"a window of shape {list(shape)}",
            got=f"shape {list(values.shape)}",
            action="Rows are time, columns are the sensor's channels.",
        )
    if not np.isfinite(values).all():
        raise ConfigError(
            where=where,
            expected="finite values",
            got=f"{int((~np.isfinite(values)).sum())} that are NaN or infinite",
            action="Leave broken samples out: the core refuses them too.",
        )


_CHECKS: Mapping[type, Callable[[Any, object, str], None]] = {
    Frame: check_frame,
    Points: check_cloud,
    Signal: _check_window,
    Sound: check_sound,
    Text: check_text,
}


def _target(deployment: Deployment, head: str, target: Any, where: str) -> Any:
    if isinstance(target, Mapping):
        if head not in target:
            raise ConfigError(
                where=where,
                expected=f"a target for head {head}",
                got=f"targets for {', '.join(map(str, target)) or 'none'}",
                action="Give one target a head.",
            )
        return target[head]
    if len(deployment.heads) > 1:
        raise ConfigError(
            where=where,
            expected=f"a dict with a target for each of {', '.join(deployment.heads)}",
            got=type(target).__name__,
            action="A bare target is enough only where there is one head.",
        )
    return target


def _label_index(head: Classification, value: Any, where: str) -> int:
    labels = list(head.labels)
    if isinstance(value, str) and value in labels:
        return labels.index(value)
    is_index = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if is_index and 0 <= int(value) < len(labels):
        return int(value)
    raise ConfigError(
        where=where,
        expected=f"a label, or its index from 0 to {len(labels) - 1}",
        got=repr(value),
        action=f"The labels are {', '.join(labels)}.",
    )


def _texts(values: list[Any], where: str) -> NDArray[Any]:
    wrong = [value for value in values if not isinstance(value, str)]
    if wrong:
        raise ConfigError(
            where=where,
            expected="a text for each sample",
            got=repr(wrong[0]),
            action="It is what the head should say.",
        )
    return np.asarray(values, dtype=object)


def _stacked(head: object, name: str, values: list[Any], what: str) -> NDArray[Any]:
    try:
        stacked = np.stack([np.asarray(value, dtype=np.float64) for value in values])
    except (TypeError, ValueError) as error:
        raise ConfigError(
            where=f"{what}, head {name}",
            expected="targets that are numbers, all of one shape",
            got=str(error),
            action="Give each sample the same kind of target.",
        ) from error
    if isinstance(head, Regression):
        if stacked.ndim == 1:
            stacked = stacked[:, None]
        if stacked.shape[1:] != (len(head.labels),):
            raise ConfigError(
                where=f"{what}, head {name}",
                expected=f"targets with {len(head.labels)} values",
                got=f"shape {list(stacked.shape[1:])}",
                action="One value for each of the head's labels.",
            )
    return stacked
