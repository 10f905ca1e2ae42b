"""All that one export needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait import ConfigError
from plait_export.describe import Deployment
from plait_export.gate import Gate
from plait_export.lineage import Lineage
from plait_export.samples import Sample

PRECISIONS = ("fp32", "fp16", "int8")
ENGINE_PRECISIONS = ("fp16", "int8")


@dataclass(frozen=True)
class Request:
    """What to export, and what to judge it by.

    samples: real ones, to trace with and to set INT8's ranges: dicts of modality to a raw
        sample: a window [window, sensor channels] of a signal, one array of a frame.
    gate: without one, only FP32 is written: nothing else could be judged.
    precisions: out of "fp32" (always), "fp16", "int8".
    engines: out of "fp16", "int8": further variants, for TensorRT engines (docs/engines.md).
    lineage: where the model comes from.
    """

    deployment: Deployment
    samples: Sequence[Sample]
    gate: Gate | None = None
    precisions: Sequence[str] = ("fp32", "int8")
    lineage: Lineage | None = None
    engines: Sequence[str] = ()

    def check(self) -> None:
        """Raises ConfigError where precisions or gate make no sense; samples are checked later."""
        wanted = self.precisions
        listed = isinstance(wanted, Sequence) and not isinstance(wanted, str)
        if not listed or "fp32" not in wanted or any(name not in PRECISIONS for name in wanted):
            raise ConfigError(
                where="precisions",
                expected=f"'fp32' and, as wanted, others of {', '.join(PRECISIONS)}",
                got=repr(wanted),
                action="FP32 is what the others are held against.",
            )
        engines = self.engines
        if isinstance(engines, str) or any(name not in ENGINE_PRECISIONS for name in engines):
            raise ConfigError(
                where="engines",
                expected=f"a sequence out of {', '.join(ENGINE_PRECISIONS)}",
                got=repr(engines),
                action="An FP32 engine needs no graph of its own: plait build makes it.",
            )
        if self.gate is not None:
            self.gate.check(self.deployment)
