"""The whole way: what is written is what the core measured, and a failure leaves all as it was."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import plait
from plait_export import ExportError, accuracy, export
from plait_export.presence import of_head, presence_sets
from tests.export.conftest import Exported
from tests.export.models import Encoder, Fusion, one_modality, raw_samples

SCHEMA = Path(__file__).parents[2] / "csrc" / "bundle" / "manifest.schema.json"


def test_the_manifest_follows_its_schema(exported: Exported) -> None:
    schema = json.loads(SCHEMA.read_text())
    with zipfile.ZipFile(exported.path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    jsonschema.validate(manifest, schema)


def test_quality_has_a_row_for_every_head_presence_set_and_precision(exported: Exported) -> None:
    deployment = exported.deployment
    expected = {
        (head, present, precision)
        for head in deployment.heads
        for present in presence_sets(deployment)
        for precision in ("fp32", "fp16", "int8")
        if of_head(deployment, head, present)
    }
    rows = plait.Bundle(str(exported.path)).manifest["quality"]
    found = [(row["head"], tuple(row["presence"]), row["precision"]) for row in rows]
    assert len(found) == len(expected) and set(found) == expected
    assert rows == json.loads(json.dumps(exported.report.quality))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_quality_is_what_the_core_answers_on_raw_samples(
    exported: Exported, precision: str
) -> None:
    model = plait.load(str(exported.path), precision=precision)
    for row in model.manifest["quality"]:
        if row["precision"] != precision or row["head"] != "activity":
            continue
        scores, targets = [], []
        for sample, target in exported.held_out:
            given = {m: sample[m] if m in row["presence"] else None for m in model.modalities}
            answer = model(**given)["activity"]
            assert answer.expected_quality is not None
            assert answer.expected_quality.value == row["value"]
            scores.append(np.array(answer.scores))
            targets.append(target["activity"])
        assert accuracy(np.stack(scores), np.array(targets)) == row["value"]
        assert row["samples"] == len(exported.held_out)


def test_the_fastest_is_the_default_and_its_time_is_written(exported: Exported) -> None:
    manifest = plait.Bundle(str(exported.path)).manifest
    chosen = {a.precision: a for a in exported.report.attempts if a.chosen}
    assert set(chosen) == {"fp32", "fp16", "int8"}
    for variant in manifest["variants"]:
        attempt = chosen[variant["precision"]]
        assert variant["scheme"] == attempt.scheme
        assert variant["median_us"] == attempt.median_us
        assert variant["form"] == "portable"
    best = min(float(a.relative) for a in chosen.values() if a.relative is not None)
    default = chosen[manifest["default_precision"]].relative
    assert default is not None and default <= best * 1.03 + 1e-3
    assert plait.load(str(exported.path)).precision == manifest["default_precision"]
    assert manifest["choice"]["machine"]["cpus"] >= 1


def test_a_bundle_tells_its_lineage_and_what_the_gate_did(exported: Exported) -> None:
    manifest = plait.Bundle(str(exported.path)).manifest
    assert manifest["lineage"]["data"]["name"] == "noise"
    assert manifest["lineage"]["script"] == "x/train.py"
    assert manifest["lineage"]["packages"]["plait"] == plait.version()
    attempts = manifest["gate"]["attempts"]
    assert [a["scheme"] for a in attempts] == [a.scheme for a in exported.report.attempts]
    assert all(a["outcome"] == "passed" and a["scores"] for a in attempts)
    assert json.loads(json.dumps(exported.report.to_json()))["bytes"] == (
        exported.path.stat().st_size
    )


def test_an_integer_sensor_can_be_exported(tmp_path: Path) -> None:
    deployment = one_modality(Encoder(3, 4), 4)
    sample = {"motion": np.arange(111, dtype=np.int16).reshape(37, 3)}
    export(deployment, tmp_path / "int.plait", samples=[sample], precisions=("fp32",))
    assert plait.load(tmp_path / "int.plait")(**sample)["activity"].label in ("rest", "walk", "run")


def test_a_failed_export_leaves_the_old_bundle(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    path = tmp_path / "one.plait"
    path.write_bytes(b"the old one")
    deployment = one_modality(Encoder(4, 4), 4)
    samples = raw_samples(deployment, generator, 3)
    with pytest.raises(ExportError, match="modality motion, encoder"):
        export(deployment, path, samples=samples)
    with pytest.raises(plait.ConfigError, match="calibration, sample 0"):
        export(deployment, path, samples=[{"motion": samples[0]["motion"][:-1]}])
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told_before_the_work(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    deployment = one_modality(Encoder(3, 4), 4)
    stages: list[str] = []
    with pytest.raises(ExportError, match="an existing folder"):
        export(
            deployment,
            tmp_path / "nowhere" / "one.plait",
            samples=raw_samples(deployment, generator, 3),
            progress=lambda stage, done, total: stages.append(stage),
        )
    assert stages == []


def test_a_head_of_another_order_of_modalities_is_fed_in_its_own(exported: Exported) -> None:
    manifest = plait.Bundle(str(exported.path)).manifest
    heads = {head["name"]: head for head in manifest["heads"]}
    assert heads["effort"]["modalities"] == ["heart", "motion"]
    assert heads["effort"]["units"] == ["1/min", "W"]
    assert heads["activity"]["labels"] == ["rest", "walk", "run"]
    assert isinstance(exported.deployment.heads["effort"].module, Fusion)
