"""Golden data replays: every stage from the stage before, as `plait doctor` feeds it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import plait
from plait_export.golden import TOLERANCE
from plait_export.graphs import relative_error
from plait_export.presence import of_head, presence_sets
from tests.export.conftest import Exported


def read(bundle: plait.Bundle, member: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(io.BytesIO(bytes(bundle.read(member))))
    return array


@pytest.fixture(scope="module")
def bundle(exported: Exported) -> plait.Bundle:
    return plait.Bundle(str(exported.path))


def test_every_presence_set_has_a_case_and_everything_present_two(
    exported: Exported, bundle: plait.Bundle
) -> None:
    presences = [tuple(case["presence"]) for case in bundle.manifest["golden"]["cases"]]
    sets = presence_sets(exported.deployment)
    assert presences == [sets[0], *sets]


def test_cases_hold_every_stage_of_what_is_present(
    exported: Exported, bundle: plait.Bundle
) -> None:
    for case in bundle.manifest["golden"]["cases"]:
        present = tuple(case["presence"])
        encoded = {f"encode:{m}" for m in present}
        heads = {h for h in exported.deployment.heads if of_head(exported.deployment, h, present)}
        answered = encoded | {f"fuse:{head}" for head in heads}
        raw = {f"{stage}:{m}" for stage in ("sample", "prepare") for m in present}
        assert set(case["stages"]) == raw | answered
        assert set(case["precisions"]) == {"fp32", "fp16", "int8"}
        assert all(set(stages) == answered for stages in case["precisions"].values())


def test_raw_samples_are_held_out_ones_as_they_were(
    exported: Exported, bundle: plait.Bundle
) -> None:
    for case in bundle.manifest["golden"]["cases"]:
        for stage, member in case["stages"].items():
            kind, _, name = stage.partition(":")
            if kind == "sample":
                array = read(bundle, member)
                assert any(
                    array.dtype == sample[name].dtype and np.array_equal(array, sample[name])
                    for sample, _ in exported.held_out
                )


def test_the_reference_is_reached_in_fp32(bundle: plait.Bundle, exported: Exported) -> None:
    model = plait.load(str(exported.path), precision="fp32")
    for case in bundle.manifest["golden"]["cases"]:
        arrays = {stage: read(bundle, member) for stage, member in case["stages"].items()}
        for name in case["presence"]:
            prepared = model.prepare(name, arrays[f"sample:{name}"])
            assert relative_error(prepared, arrays[f"prepare:{name}"]) <= TOLERANCE["prepare"]
            embedded = model.encode_prepared(name, arrays[f"prepare:{name}"])
            assert relative_error(embedded, arrays[f"encode:{name}"]) <= TOLERANCE["fp32"]
        result = model.fuse(**{m: arrays.get(f"encode:{m}") for m in model.modalities})
        for head in model.heads:
            if f"fuse:{head}" in arrays:
                output = result[head].output
                assert output is not None
                answer = output[np.newaxis]
                assert relative_error(answer, arrays[f"fuse:{head}"]) <= TOLERANCE["fp32"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_precisions_answers_replay_bit_for_bit_here(
    precision: str, bundle: plait.Bundle, exported: Exported
) -> None:
    model = plait.load(str(exported.path), precision=precision)
    for case in bundle.manifest["golden"]["cases"]:
        stages = case["precisions"][precision]
        recorded = {stage: read(bundle, member) for stage, member in stages.items()}
        embeddings: dict[str, NDArray[np.float32] | None] = dict.fromkeys(model.modalities)
        for name in case["presence"]:
            prepared = read(bundle, case["stages"][f"prepare:{name}"])
            embeddings[name] = model.encode_prepared(name, prepared)
            np.testing.assert_array_equal(embeddings[name], recorded[f"encode:{name}"])
        result = model.fuse(**embeddings)
        for head in model.heads:
            output = result[head].output
            assert (output is None) == (f"fuse:{head}" not in recorded)
            if output is not None:
                np.testing.assert_array_equal(output[np.newaxis], recorded[f"fuse:{head}"])


def test_tolerances_are_stated_for_every_variant(bundle: plait.Bundle) -> None:
    manifest = bundle.manifest
    precisions = {variant["precision"] for variant in manifest["variants"]}
    assert set(manifest["golden"]["tolerance"]) == {"prepare", *precisions}
