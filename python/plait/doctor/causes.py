"""What usually causes a stage to diverge, in words for the person who has to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.doctor.diagnosis import StageCheck
from plait.kinds import kind_of

# Above this many tolerances an error is no matter of rounding.
_ROUNDING = 20.0

_CAUSES = {
    "sample": (
        "The golden sample itself was altered or replaced after the export.",
        "Take the bundle from where it was exported, or export it again.",
    ),
    "prepare": (
        "A preprocessing constant differs from training: mean or std of a channel, a unit (g for "
        "m/s^2, deg/s for rad/s), the order or sign of the axes, the layout NCT or NTC.",
        "Of a camera's frame: the filter or its antialiasing, the order of the colours, the matrix "
        "or range of YUV, how it is fitted or cut, mean, std or scale.",
        "Of a sound: the mel scale or its norm, the analysis window, its length, step or edges, "
        "the logarithm and its floor, the gain (samples in -1 to 1, or int16 values), the rate.",
        "Of points: the sensor's columns or unit, extrinsics, range, capacity or overflow.",
        "The manifest was edited after the export, or the golden reference was.",
        "Compare `modalities[]` (plait inspect --json) with the training code, then export "
        "again; the exporter records new golden data.",
    ),
    "load": (
        "This ONNX Runtime is older than the graph's operators, or was built without them.",
        "Load another precision (plait.load(..., precision=...)), or install a newer ONNX Runtime.",
    ),
    "encode": (
        "The encoder's weights or graph differ from those that were exported: a file was swapped, "
        "a later checkpoint was mixed in, or the graph was edited.",
        "Or the golden value of this stage was altered.",
        "Export again from the checkpoint you mean to ship.",
    ),
    "fuse": (
        "The head's weights or graph differ from those that were exported, or embeddings reach "
        "it in another order, or the presence mask is read the other way round.",
        "Or the golden value of this stage was altered.",
        "Export again from the checkpoint you mean to ship.",
    ),
    "tokens": (
        "The step graph's weights differ from those that were exported, or the manifest's start or "
        "end tokens do.",
        "Where the first token that differs was nearly as likely as the expected one, this CPU "
        "rounds otherwise and breaks the tie the other way.",
        "Or the golden value of this stage was altered.",
    ),
}
_ROUNDING_CAUSE = (
    "The error is only a few times the tolerance: other kernels of this CPU or of this version of "
    "ONNX Runtime round differently. Compare versions with lineage in `plait inspect`."
)
_QUANTIZED_CAUSE = (
    "The same stage is right in fp32: it is the quantized graph or this CPU's 8-bit kernels. "
    "Without VNNI or Arm dot-product instructions u8 x s8 products saturate. Export on this kind "
    "of device, so that the gate decides here, or run precision fp32."
)

_FUSED_CAUSE = (
    "The same stage is right in the portable form: it is one of Plait's own operators on this CPU. "
    "Run the portable precision, and report it with this message."
)


def usual_causes(checks: Sequence[StageCheck]) -> tuple[str, ...]:
    """What usually causes the first divergence among checks in pipeline order; () if none."""
    first = next((check for check in checks if not check.ok), None)
    if first is None:
        return ()
    kind = first.stage.partition(":")[0]
    same = [c for c in checks if (c.stage, c.precision) == (first.stage, first.precision)]
    causes: list[str] = []
    wrong = sorted({check.case for check in same if not check.ok})
    right = {check.case for check in same} - set(wrong)
    if right and kind != "sample":
        causes.append(
            f"Only case {', '.join(wrong)} diverges and {len(right)} others are right: more likely "
            "this case's golden values were altered than the stage itself."
        )
    if kind in ("encode", "fuse"):
        right_in = {c.precision for c in checks if c.stage == first.stage and c.ok}
        portable = (first.precision or "").removesuffix("_fused")
        if portable != first.precision and portable in right_in:
            causes.append(_FUSED_CAUSE)
        elif portable != "fp32" and "fp32" in right_in:
            causes.append(_QUANTIZED_CAUSE)
        if all(c.error <= _ROUNDING * c.tolerance for c in same):
            causes.append(_ROUNDING_CAUSE)
    return (*causes, *_CAUSES[kind])


def describe_prepared(
    answer: NDArray[Any], reference: NDArray[Any], modality: Mapping[str, Any]
) -> str:
    """How what was prepared differs from its reference, where the difference has a simple form.

    answer, reference: [1, ...] in the layout that the manifest states for the modality.
    """
    names, last, otherwise = kind_of(modality).channels(modality[modality["kind"]])
    a, b = (
        np.moveaxis(np.asarray(x[0], dtype=np.float64), -1 if last else 0, 0).reshape(
            len(names), -1
        )
        for x in (answer, reference)
    )
    gaps = np.isnan(b)
    if not np.array_equal(gaps, np.isnan(a)):
        rows, wanted = (int((~np.isnan(x[0])).sum()) for x in (a, b))
        return f"{rows} rows are there, of the reference {wanted}, or others: {otherwise}"
    a, b = a[:, ~gaps[0]], b[:, ~gaps[0]]
    if a.size == 0:
        return otherwise
    found: list[str] = []
    for channel, name in enumerate(names):
        if np.abs(a[channel] - b[channel]).max() <= 1e-6 * max(np.abs(b).max(), 1.0):
            continue
        same = _affine(a[channel], b[channel])
        if same is not None:
            found.append(f"channel {name} = {same[0]:.5g} x reference {same[1]:+.5g}")
            continue
        other = next((n for n, row in zip(names, b, strict=True) if _affine(a[channel], row)), None)
        if other is None:
            return f"not a scale or shift of any channel: {otherwise}"
        found.append(f"channel {name} holds what the reference has in {other}")
    return "; ".join(found)


def _affine(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float] | None:
    """Scale and shift with a = scale * b + shift, or None where none fits."""
    deviation = b - b.mean()
    power = float(deviation @ deviation)
    scale = float(deviation @ (a - a.mean())) / power if power > 0.0 else 1.0
    shift = float(a.mean() - scale * b.mean())
    residual = float(np.abs(a - (scale * b + shift)).max())
    return (scale, shift) if residual <= 1e-4 * max(float(np.abs(a).max()), 1e-12) else None
