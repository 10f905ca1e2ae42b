"""Presence sets: which modalities may be there together when a head answers."""

from __future__ import annotations

from itertools import combinations

from plait_export.describe import Deployment

PresenceSet = tuple[str, ...]


def presence_sets(deployment: Deployment) -> list[PresenceSet]:
    """All sets a device can meet, largest first; names in the deployment's order.

    A set holds every modality that must not be missing (`when_missing="refuse"`). A head of which
    it holds no modality gives no answer.
    """
    names = tuple(deployment.modalities)
    needed = {n for n, signal in deployment.modalities.items() if signal.when_missing == "refuse"}
    optional = [name for name in names if name not in needed]
    sets = []
    for absent_count in range(len(optional) + 1):
        for absent in combinations(reversed(optional), absent_count):
            present = tuple(name for name in names if name not in absent)
            if present:
                sets.append(present)
    return sets


def of_head(deployment: Deployment, head: str, present: PresenceSet) -> PresenceSet:
    """What of a presence set a head sees, in the order of its graph's inputs."""
    return tuple(name for name in deployment.head_modalities(head) if name in present)


def head_sets(deployment: Deployment, head: str, sets: list[PresenceSet]) -> list[PresenceSet]:
    """The presence sets in which a head can answer, as it sees them, each once."""
    seen = dict.fromkeys(of_head(deployment, head, present) for present in sets)
    return [present for present in seen if present]
