"""Holds a bundle against the library that its model comes from: raw sample to answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import plait
from plait_export.describe import Deployment, Text
from plait_export.errors import ExportError

if TYPE_CHECKING:
    from plait_export.samples import Sample

LEAST_COSINE = 0.9999
_MOST_SAMPLES = 16

Stages = Mapping[str, NDArray[Any]]
"""By stage, as golden data names them: "prepare:MODALITY", "encode:MODALITY", "fuse:HEAD"."""


def check_original(
    deployment: Deployment, model: plait.Model, samples: Sequence[Sample]
) -> dict[str, Any]:
    """The core beside the library on raw samples; per stage the least cosine between the two.

    model: the core running FP32. Token ids have to be equal, all else as near as LEAST_COSINE.
    Raises ExportError naming the first stage where they part.
    """
    original = deployment.original
    assert original is not None
    least: dict[str, float] = {}
    chosen = samples[:_MOST_SAMPLES]
    for index, sample in enumerate(chosen):
        said = original(sample)
        for stage, ours in _core_stages(deployment, model, sample):
            if stage not in said:
                continue
            near = _cosine(ours, said[stage])
            # Written so that a NaN fails too.
            if not near >= LEAST_COSINE:
                raise ExportError(
                    where=f"deployment {deployment.name!r}, sample {index}, stage {stage}",
                    expected=f"what the original library has there, cosine >= {LEAST_COSINE}",
                    got=f"{near:.6f}, and all stages before it agree",
                    action="The description differs from the model's own configuration there: "
                    "check_preparation compares preparations step by step.",
                )
            least[stage] = min(near, least.get(stage, 1.0))
    return {"samples": len(chosen), "cosine": {k: round(v, 8) for k, v in least.items()}}


def _core_stages(
    deployment: Deployment, model: plait.Model, sample: Sample
) -> Iterator[tuple[str, NDArray[Any]]]:
    """In the order in which a sample passes them."""
    for name in deployment.modalities:
        yield f"prepare:{name}", np.array(model.prepare(name, sample[name]))
    for name, modality in deployment.modalities.items():
        if not (isinstance(modality, Text) and not modality.encoder_in_bundle):
            yield f"encode:{name}", np.array(model.encode(name, sample[name]))
    result = model(**sample)
    for head in deployment.heads:
        output = result[head].output
        if output is not None:
            yield f"fuse:{head}", np.array(output)


def _cosine(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """0 where the sizes differ, or where integers do."""
    if ours.size != theirs.size:
        return 0.0
    if np.issubdtype(ours.dtype, np.integer):
        return float(np.array_equal(ours.ravel(), theirs.ravel()))
    a, b = (values.astype(np.float64).ravel() for values in (ours, theirs))
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norms if norms else float(np.array_equal(a, b))
