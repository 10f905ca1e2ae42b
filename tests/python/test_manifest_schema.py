"""The manifest's JSON Schema and the reader: what the schema refuses, the reader refuses."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import plait
from tests.cases.rebundle import read_manifest, write_stored

LIGHT = b"light"
SCHEMA = Path(__file__).parents[2] / "csrc/bundle/manifest.schema.json"

# Objects whose keys are names of things, not fields of the format.
MAPS = ("members", "stages", "precisions", "tolerance", "lineage", "gate")

Step = Any  # a key or an index
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64),
    st.integers(-2, 12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["", "x", "-x", "batch", "presence", "NTC", "embedding", "regression", "int8"]),
    st.just([]),
    st.just({}),
    st.lists(st.sampled_from(["x", "y", "batch", 3, 1.0, None]), max_size=4),
)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture(scope="module", params=["signals", "frames", "sounds", "texts", "points"])
def whole_bundle(
    request: pytest.FixtureRequest, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """As the exporter writes them: of signals; of cameras, microphones, prompts or LiDARs and a
    signal."""
    if request.param == "signals":
        return tiny_bundle
    if request.param == "sounds":
        from tests.cases.sound_bundle import export_sound_bundle  # takes seconds: torch

        path = tmp_path_factory.mktemp("sound") / "microphone.plait"
        export_sound_bundle(path, seed=7)
        return path
    if request.param == "points":
        from tests.cases.points_bundle import export_points_bundle  # takes seconds: torch

        path = tmp_path_factory.mktemp("points") / "car.plait"
        export_points_bundle(path, seed=7)
        return path
    if request.param == "texts":
        from tests.cases.text_bundle import export_text_bundle  # takes seconds: torch

        path = tmp_path_factory.mktemp("text") / "robot.plait"
        export_text_bundle(path, seed=7)
        return path
    from tests.cases.camera_bundle import export_camera_bundle  # takes seconds: torch

    path = tmp_path_factory.mktemp("camera") / "camera.plait"
    export_camera_bundle(path, seed=7)
    return path


@pytest.fixture(scope="module")
def light_bundle(whole_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle with one golden case and members of a few bytes, quick to write and to read."""
    manifest = read_manifest(whole_bundle)
    manifest["golden"]["cases"] = manifest["golden"]["cases"][:1]
    kept = {name for name in manifest["members"] if not re.match("golden/[^0]", name)}
    manifest["members"] = {
        name: {"sha256": hashlib.sha256(LIGHT).hexdigest(), "bytes": len(LIGHT)} for name in kept
    }
    target = tmp_path_factory.mktemp("light") / "light.plait"
    write_manifest(manifest["members"], target, manifest)
    plait.Bundle(target).verify()
    return target


def walk(value: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Paths to everything inside a document."""
    if isinstance(value, dict):
        children: Any = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        return
    for key, child in children:
        yield (*path, key)
        yield from walk(child, (*path, key))


def parent_of(document: Any, path: tuple[Step, ...]) -> Any:
    for step in path[:-1]:
        document = document[step]
    return document


def write_manifest(members: Iterable[str], target: Path, manifest: Any) -> None:
    contents = {"manifest.json": json.dumps(manifest).encode()}
    write_stored(target, {**contents, **dict.fromkeys(members, LIGHT)})


def refusal_of(path: Path) -> plait.BundleError | None:
    try:
        plait.Bundle(path)
    except plait.BundleError as error:
        return error
    return None


def test_what_the_exporter_writes_validates(
    whole_bundle: Path, validator: Draft202012Validator
) -> None:
    assert [error.message for error in validator.iter_errors(read_manifest(whole_bundle))] == []
    plait.Bundle(whole_bundle)


def test_schema_and_reader_require_the_same_fields(
    light_bundle: Path, validator: Draft202012Validator, tmp_path: Path
) -> None:
    manifest = read_manifest(light_bundle)
    target = tmp_path / "changed.plait"
    outcomes = set()
    seen = set()
    for path in walk(manifest):
        names_a_thing = any(step in MAPS for step in path[:-1]) and path[-1] not in (
            "sha256",
            "bytes",
        )
        kind = tuple("*" if isinstance(step, int) else step for step in path)
        if isinstance(path[-1], int) or names_a_thing or kind in seen:
            continue
        seen.add(kind)
        changed = copy.deepcopy(manifest)
        del parent_of(changed, path)[path[-1]]
        write_manifest(manifest["members"], target, changed)
        refusal = refusal_of(target)
        assert (refusal is None) == validator.is_valid(changed), (path, refusal)
        outcomes.add(refusal is None)
    assert outcomes == {True, False}


def change(data: st.DataObject, manifest: Any) -> None:
    """One change anywhere: a value replaced, removed, repeated, or an entry renamed."""
    path = data.draw(st.sampled_from(list(walk(manifest))), label="path")
    parent, key = parent_of(manifest, path), path[-1]
    action = data.draw(st.sampled_from(["replace", "remove", "repeat", "rename"]), label="action")
    if action == "remove":
        del parent[key]
    elif action == "repeat" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    elif action == "rename" and isinstance(parent, dict):
        parent[data.draw(st.text(max_size=12), label="name")] = parent.pop(key)
    else:
        parent[key] = data.draw(VALUES, label="value")


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_the_schema_refuses_the_reader_refuses(
    light_bundle: Path, validator: Draft202012Validator, data: st.DataObject
) -> None:
    manifest = read_manifest(light_bundle)
    members = list(manifest["members"])
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        change(data, manifest)
    target = light_bundle.with_name("mutated.plait")
    write_manifest(members, target, manifest)
    refusal = refusal_of(target)
    if refusal is None:
        assert [error.message for error in validator.iter_errors(manifest)] == []
    else:
        assert refusal.where.startswith("mutated.plait")
        assert all((refusal.expected, refusal.got, refusal.action))
