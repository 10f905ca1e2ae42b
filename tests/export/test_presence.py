"""Presence sets are all that a device can meet, and no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import plait
from plait_export import Classification, Deployment
from plait_export.presence import head_sets, presence_sets
from tests.export.models import LABELS, Encoder, Fusion, signal


def deployment(missing: list[str]) -> Deployment:
    return Deployment(
        name="many",
        modalities={
            f"m{i}": signal(Encoder(3, 4), 3, 37, when_missing=what)
            for i, what in enumerate(missing)
        },
        heads={"activity": Classification(Fusion((4,) * len(missing), 3), labels=LABELS)},
    )


@given(st.lists(st.sampled_from(["mask", "learned", "refuse"]), min_size=1, max_size=7))
def test_sets_are_all_subsets_that_hold_what_must_not_be_missing(missing: list[str]) -> None:
    described = deployment(missing)
    sets = presence_sets(described)
    names = tuple(described.modalities)
    needed = {name for name, what in zip(names, missing, strict=True) if what == "refuse"}
    optional = len(names) - len(needed)
    assert sets[0] == names
    assert len(set(sets)) == len(sets) == 2**optional - (0 if needed else 1)
    assert all(needed.issubset(present) for present in sets)
    assert all(tuple(n for n in names if n in present) == present for present in sets)
    assert [len(present) for present in sets] == sorted(map(len, sets), reverse=True)


def test_there_are_at_most_1023_sets() -> None:
    assert len(presence_sets(deployment(["mask"] * 10))) == 1023
    with pytest.raises(plait.ConfigError, match="from 1 to 10, got 11"):
        deployment(["mask"] * 11)


def test_a_head_sees_each_set_once_in_its_own_order() -> None:
    described = Deployment(
        name="two",
        modalities={name: signal(Encoder(3, 4), 3, 37) for name in ("a", "b", "c")},
        heads={
            "all": Classification(Fusion((4, 4, 4), 3), labels=LABELS),
            "few": Classification(Fusion((4, 4), 3), labels=LABELS, modalities=("c", "a")),
        },
    )
    sets = presence_sets(described)
    assert head_sets(described, "all", sets) == sets
    assert sorted(head_sets(described, "few", sets)) == [("a",), ("c",), ("c", "a")]
