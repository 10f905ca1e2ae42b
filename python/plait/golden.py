"""The golden data of a bundle: real raw samples with the reference answer after every stage."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import Bundle, Model, Result
from plait.kinds import kind_of

# What holds where a bundle's manifest states no bound of its own (docs/bundle.md, golden).
_USUAL_TOLERANCE = {"prepare": 1e-5, "fp32": 1e-4}
_USUAL_TOLERANCE_OF_OTHERS = 0.05


@dataclass(frozen=True)
class GoldenCase:
    """One set of raw samples and where its reference values lie.

    stages: stage ("prepare:accelerometer") -> member, PyTorch's answer in float32.
    precisions: precision -> stage -> member, what the bundle itself answered when it was made.
    """

    name: str
    presence: tuple[str, ...]
    stages: Mapping[str, str]
    precisions: Mapping[str, Mapping[str, str]]


def golden_cases(manifest: Mapping[str, Any]) -> tuple[GoldenCase, ...]:
    """The golden cases that a manifest lists, in its order; none where it lists none."""
    return tuple(
        GoldenCase(
            name=case["name"],
            presence=tuple(case["presence"]),
            stages=dict(case.get("stages", {})),
            precisions={name: dict(of) for name, of in case.get("precisions", {}).items()},
        )
        for case in manifest.get("golden", {}).get("cases", [])
    )


def golden_tolerance(manifest: Mapping[str, Any], key: str) -> float:
    """The bound of max|a - b| / max|b| for "prepare:MODALITY" or for a precision."""
    stated = manifest.get("golden", {}).get("tolerance", {})
    key = key if key in stated else key.partition(":")[0]
    return float(stated.get(key, _USUAL_TOLERANCE.get(key, _USUAL_TOLERANCE_OF_OTHERS)))


def without_gaps(prepared: NDArray[Any], reference: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Both with 0 for NaN where they hold it in the same places; else both as they are.

    What is prepared of a point cloud holds NaN where there is no point.
    """
    if prepared.shape != reference.shape or prepared.dtype.kind != "f":
        return prepared, reference
    gaps = np.isnan(reference)
    if not gaps.any() or not np.array_equal(gaps, np.isnan(prepared)):
        return prepared, reference
    return np.where(gaps, 0.0, prepared), np.where(gaps, 0.0, reference)


def golden_tokens(
    model: Model, head: str, result: Result, most: int, pad: int
) -> NDArray[np.int64]:
    """What a generation says greedily, as its golden tokens are stored: [1, most], pad behind."""
    said = model.generate(
        head,
        result,
        max_tokens=most,
        temperature=0.0,
        top_k=0,
        top_p=1.0,
        repetition_penalty=1.0,
        beams=1,
    )
    tokens = np.full((1, most), pad, np.int64)
    tokens[0, : len(said.tokens)] = said.tokens
    return tokens


def read_array(bundle: Bundle, member: str) -> NDArray[Any]:
    """A member that is a .npy file, as an array of its own.

    Raises BundleError where the bundle has no such member or it was altered, ValueError where it
    is no .npy file.
    """
    data = io.BytesIO(bundle.read(member))
    array: NDArray[Any] = np.load(data, allow_pickle=False)
    return array


def golden_samples(
    bundle: Bundle, presence: Sequence[str], cases: Sequence[GoldenCase] | None = None
) -> list[dict[str, Any]]:
    """Sets of raw samples holding exactly the modalities of `presence`.

    Every case that has all of them gives one set; where none has, the modalities are taken from
    different cases. Empty where some modality has no golden sample at all.
    """
    if cases is None:
        cases = golden_cases(bundle.manifest)
    described = {modality["name"]: modality for modality in bundle.manifest["modalities"]}

    def sample(name: str, member: str) -> Any:
        return kind_of(described[name]).sample_of(read_array(bundle, member))

    whole = [case for case in cases if all(f"sample:{name}" in case.stages for name in presence)]
    if whole:
        return [
            {name: sample(name, case.stages[f"sample:{name}"]) for name in presence}
            for case in whole
        ]
    mixed: dict[str, Any] = {}
    for name in presence:
        member = next(
            (c.stages[f"sample:{name}"] for c in cases if f"sample:{name}" in c.stages), None
        )
        if member is None:
            return []
        mixed[name] = sample(name, member)
    return [mixed]
