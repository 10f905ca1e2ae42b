"""The kinds of modality as Python tools need to know them: one file a kind, listed here.

What a kind is to a person (`plait inspect`), what a golden sample of it has to be, and along which
axis `plait doctor` looks for swapped or scaled channels. Preparing samples is the core's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from plait.kinds import frame, points, signal, sound, text


class Kind(Protocol):
    """section: the manifest's description of a modality of this kind."""

    def lines(self, section: Mapping[str, Any]) -> list[str]:
        """What the modality is, in lines for people."""

    def wrong_with(self, section: Mapping[str, Any], sample: NDArray[Any]) -> str:
        """What is wrong with a golden sample by the description; "" where nothing is."""

    def sample_of(self, array: NDArray[Any]) -> Any:
        """What a model takes, out of a golden sample's array."""

    def channels(self, section: Mapping[str, Any]) -> tuple[Sequence[str], bool, str]:
        """Names of a prepared input's channels, whether they are its last axis (not the second),
        and what else may differ where no channel explains a difference."""


KINDS: Mapping[str, Kind] = {
    "frame": frame,
    "points": points,
    "signal": signal,
    "sound": sound,
    "text": text,
}


def kind_of(modality: Mapping[str, Any]) -> Kind:
    """The kind of a modality of a manifest that the core has read."""
    return KINDS[modality["kind"]]
