"""A bundle says where it comes from, and never where files lay."""

from __future__ import annotations

import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import plait
from plait_export import Lineage
from plait_export.lineage import describe_lineage, describe_machine, git_revision


@pytest.mark.parametrize(
    "changes",
    [
        {"script": "/home/me/train.py"},
        {"script": "C:\\me\\train.py"},
        {"data": {"name": "watch", "files": ["a.npy", "/data/b.npy"]}},
        {"split": {"folds": {"0": {"list": "/data/fold0.txt"}}}},
        {"training": {"rate": float("nan")}},
        {"training": {"model": object()}},
    ],
)
def test_paths_and_what_is_not_json_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(plait.ConfigError, match="lineage"):
        Lineage(**changes)


def test_what_the_user_said_and_the_environment_are_recorded() -> None:
    said = Lineage(
        data={"name": "watch", "sha256": "00"},
        split={"fold": 0, "subjects": [1, 2]},
        training={"epochs": 3, "rate": 0.5},
        script="zoo/watch.py",
        packages=("scipy", "no-such-package"),
    )
    described = describe_lineage(said)
    assert described["data"] == {"name": "watch", "sha256": "00"}
    assert described["split"] == {"fold": 0, "subjects": [1, 2]}
    assert described["training"] == {"epochs": 3, "rate": 0.5}
    assert described["script"] == "zoo/watch.py"
    assert described["packages"]["scipy"] == metadata.version("scipy")
    assert described["packages"]["torch"].startswith(metadata.version("torch").split("+")[0])
    assert "no-such-package" not in described["packages"]
    assert "git_revision" not in described
    assert described["machine"]["cpus"] >= 1


def test_nothing_recorded_is_a_path() -> None:
    def words(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [word for inner in value.values() for word in words(inner)]
        return [value] if isinstance(value, str) else []

    recorded = words(describe_lineage(None, Path(__file__).parent)) + words(describe_machine())
    assert recorded
    assert not [word for word in recorded if word.startswith("/") or str(Path.home()) in word]


def test_a_revision_is_that_of_the_scripts_folder(tmp_path: Path) -> None:
    assert git_revision(tmp_path) is None

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    git("init")
    assert git_revision(tmp_path) is None
    (tmp_path / "train.py").write_text("1")
    git("add", "train.py")
    git("commit", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert git_revision(tmp_path) == commit
    (tmp_path / "train.py").write_text("2")
    assert git_revision(tmp_path) == f"{commit}-dirty"
    assert describe_lineage(None, tmp_path)["git_revision"] == f"{commit}-dirty"


JSON_LIKE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(JSON_LIKE)
def test_whatever_is_taken_can_be_written_as_json(value: Any) -> None:
    try:
        taken = Lineage(data=value)
    except plait.ConfigError:
        return
    assert json.loads(json.dumps(dict(taken.data), allow_nan=False)) == value
