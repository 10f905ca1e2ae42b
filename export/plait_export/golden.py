"""Golden data: a few real raw samples with the reference after every stage.

On the device, `plait doctor` replays them and names the first stage that answers otherwise. Every
stage is recorded from the stage before it as the replay feeds it: a precision's encoder from the
reference's input, its head from its own embeddings.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import plait
from plait.golden import golden_tokens, without_gaps
from plait_export import reference
from plait_export.candidate import number_format
from plait_export.describe import Deployment, Generation, Text
from plait_export.errors import ExportError
from plait_export.graphs import FloatArray, relative_error
from plait_export.presence import PresenceSet, of_head
from plait_export.samples import Sample
from plait_export.trace import Traced

# max|a - b| / max|b|. FP16 and INT8 round, and devices round in different places.
TOLERANCE = {"prepare": 1e-5, "fp32": 1e-4, "fp16": 1e-2, "int8": 0.05}

_MOST_SETS = 16

# Of the distance between two ways to round: a device is a third.
_ROOM = 2.0


@dataclass(frozen=True)
class Golden:
    """manifest: the bundle's `golden` section. members: its files."""

    manifest: dict[str, Any]
    members: dict[str, bytes]


def record(
    traced: Traced,
    models: Mapping[str, plait.Model],
    samples: Sequence[Sample],
    sets: list[PresenceSet],
    less_rounded: Mapping[str, plait.Model] | None = None,
) -> Golden:
    """Records two cases with everything present and one for each further presence set.

    models: the core running each precision. less_rounded: of those whose values are rounded at
    every step, the same with as few roundings as a device may make do with: how far that moves the
    answers is what such a device is allowed. Raises ExportError where FP32 is not the reference
    within the tolerance.
    """
    presences = [sets[0], *sets[:_MOST_SETS]]
    chosen = [samples[index * len(samples) // len(presences)] for index in range(len(presences))]
    tolerance = {name: TOLERANCE[number_format(name)] for name in ("prepare", *models)}
    tolerance.update(_prepare_tolerances(traced, chosen))
    cases = []
    members: dict[str, bytes] = {}
    for index, (present, sample) in enumerate(zip(presences, chosen, strict=True)):
        arrays = _reference(traced, sample, present, tolerance)
        stages = _add(members, f"golden/{index}", arrays)
        precisions = {}
        for precision, model in models.items():
            answered = _answered(traced, model, sample, arrays, present)
            precisions[precision] = _add(members, f"golden/{index}/{precision}", answered)
            if less_rounded is not None and precision in less_rounded:
                other = _answered(traced, less_rounded[precision], sample, arrays, present)
                allowed = _ROOM * _distance(other, answered)
                tolerance[precision] = max(tolerance[precision], allowed)
            if number_format(precision) == "fp32":
                where = f"golden case {index}, {precision}"
                _check(model, sample, arrays, answered, tolerance=tolerance, where=where)
        cases.append(
            {
                "name": str(index),
                "presence": list(present),
                "stages": stages,
                "precisions": precisions,
            }
        )
    return Golden({"cases": cases, "tolerance": tolerance}, members)


def _distance(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> float:
    """Of the stage that moves most; 0 where one of them is not finite, and no measure."""
    errors = [relative_error(one[stage], other[stage]) for stage in other]
    return max((error for error in errors if np.isfinite(error)), default=0.0)


def _reference(
    traced: Traced, sample: Sample, present: PresenceSet, tolerance: Mapping[str, float]
) -> dict[str, NDArray[Any]]:
    """NumPy's and PyTorch's arrays by stage, "encode:accelerometer" and the like; the original
    library's own where the deployment has one."""
    deployment = traced.deployment
    arrays: dict[str, NDArray[Any]] = {}
    embeddings: dict[str, FloatArray] = {}
    for name, modality in deployment.modalities.items():
        prepared = reference.prepare(modality, sample[name])
        embeddings[name] = traced.embed(name, prepared)
        if name in present:
            arrays[f"sample:{name}"] = np.asarray(sample[name], order="C")
            arrays[f"prepare:{name}"] = prepared
            arrays[f"encode:{name}"] = embeddings[name]
    for head in deployment.heads:
        if of_head(deployment, head, present):
            arrays[f"fuse:{head}"] = traced.answer(head, embeddings, present)
            if isinstance(deployment.heads[head], Generation):
                arrays[f"tokens:{head}"] = traced.say(head, embeddings, present)
    if deployment.original is not None:
        arrays.update(_originals(deployment, sample, arrays, present, tolerance))
    return arrays


def _originals(
    deployment: Deployment,
    sample: Sample,
    arrays: Mapping[str, NDArray[Any]],
    present: PresenceSet,
    tolerance: Mapping[str, float],
) -> dict[str, NDArray[Any]]:
    """The library's arrays, of heads for which nothing is absent: more it was not asked. None where
    it prepares otherwise, as Pillow 13 resizes tall pictures: a stage is held to its input."""
    assert deployment.original is not None
    said = deployment.original(sample)
    complete = {
        f"fuse:{head}"
        for head in deployment.heads
        if set(deployment.head_modalities(head)) <= {*present}
    }
    own: dict[str, NDArray[Any]] = {}
    for stage, array in arrays.items():
        if stage not in said or (stage.startswith("fuse:") and stage not in complete):
            continue
        own[stage] = np.asarray(said[stage], dtype=array.dtype).reshape(array.shape)
        allowed = tolerance.get(stage, tolerance["prepare"])
        if stage.startswith("prepare:") and not relative_error(own[stage], array) <= allowed:
            return {}
    return own


def _prepare_tolerances(traced: Traced, samples: Sequence[Sample]) -> dict[str, float]:
    """By stage, of the modalities whose preparation may differ by more than rounding."""
    return {
        f"prepare:{name}": max(
            reference.bound(modality, reference.prepare(modality, sample[name]))
            for sample in samples
        )
        for name, modality in traced.deployment.modalities.items()
        if not reference.is_exact(modality)
    }


def _answered(
    traced: Traced,
    model: plait.Model,
    sample: Sample,
    arrays: Mapping[str, NDArray[Any]],
    present: PresenceSet,
) -> dict[str, NDArray[Any]]:
    embeddings = {}
    for name in present:
        modality = traced.deployment.modalities[name]
        if isinstance(modality, Text) and not modality.encoder_in_bundle:
            embeddings[name] = np.array(model.encode(name, sample[name]))  # from the bank
        else:
            embeddings[name] = np.array(model.encode_prepared(name, arrays[f"prepare:{name}"]))
    result = model.fuse(**{name: embeddings.get(name) for name in model.modalities})
    answered: dict[str, NDArray[Any]] = {f"encode:{name}": e for name, e in embeddings.items()}
    for head in traced.deployment.heads:
        output = result[head].output
        if output is not None:
            answered[f"fuse:{head}"] = np.array(output).reshape(arrays[f"fuse:{head}"].shape)
            described = traced.deployment.heads[head]
            # Of fewer bits another device may break a tie otherwise, and then says another text.
            if isinstance(described, Generation) and number_format(model.precision) == "fp32":
                answered[f"tokens:{head}"] = golden_tokens(
                    model, head, result, described.most_tokens, described.pad
                )
    return answered


def _check(
    model: plait.Model,
    sample: Sample,
    arrays: Mapping[str, NDArray[Any]],
    answered: Mapping[str, NDArray[Any]],
    *,
    tolerance: Mapping[str, float],
    where: str,
) -> None:
    compared = {stage: (array, tolerance["fp32"]) for stage, array in answered.items()}
    for stage in arrays:
        kind, _, name = stage.partition(":")
        if kind == "prepare":
            prepared = np.array(model.prepare(name, sample[name]))
            compared[stage] = (prepared, tolerance.get(stage, tolerance["prepare"]))
    for stage, (array, limit) in compared.items():
        error = relative_error(*without_gaps(array, arrays[stage]))
        if not error <= limit:
            raise ExportError(
                where=f"{where}, stage {stage}",
                expected=f"the core's answer within {limit:g} of the reference",
                got=f"a relative error of {error:.3g}",
                action="This machine's ONNX Runtime or Plait computes wrongly: update them, and "
                "report it with this message.",
            )


def _add(
    members: dict[str, bytes], folder: str, arrays: Mapping[str, NDArray[Any]]
) -> dict[str, str]:
    names = {}
    for stage, array in arrays.items():
        names[stage] = f"{folder}/{stage.replace(':', '.')}.npy"
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        members[names[stage]] = buffer.getvalue()
    return names
