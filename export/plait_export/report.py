"""What an export did, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait_export.gate import Attempt

if TYPE_CHECKING:
    from plait_export.parity import ParityRow


@dataclass(frozen=True)
class ExportReport:
    """path, bytes: the bundle. quality: rows as in its manifest. attempts: all the gate saw.

    parity: how far each graph is from PyTorch, per presence set. warnings: what was asked for and
    could not be had.
    """

    path: str
    bytes: int
    default_precision: str
    quality: list[dict[str, Any]]
    attempts: list[Attempt]
    parity: list[ParityRow]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "bytes": self.bytes,
            "default_precision": self.default_precision,
            "quality": self.quality,
            "attempts": [attempt.to_json() for attempt in self.attempts],
            "parity": [row.to_json() for row in self.parity],
            "warnings": self.warnings,
        }
