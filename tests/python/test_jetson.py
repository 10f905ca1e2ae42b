"""What `plait doctor` reads of a Jetson, from file trees of three boards."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.cli.application import run
from plait.doctor.jetson import Finding, Jetson, PowerMode, jetson
from tests.cases.jetson_trees import AGX_ORIN, CONTAINER, ORIN_NANO, THOR, write_tree


def _found(root: Path, files: dict[str, str]) -> Jetson:
    found = jetson(write_tree(root, files))
    assert found is not None
    return found


def _finding(found: Jetson, name: str) -> Finding:
    (finding,) = [finding for finding in found.findings if finding.name == name]
    return finding


def test_another_machine_is_no_jetson(tmp_path: Path) -> None:
    assert jetson(tmp_path) is None
    board = {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"}
    assert jetson(write_tree(tmp_path, board)) is None


@pytest.mark.parametrize(
    ("files", "versions"),
    [
        (ORIN_NANO, ("36.4.3", "6", ("10.3.0",), "12.6.11")),
        (AGX_ORIN, ("36.4.0", "6", ("10.3.0",), "12.6.68")),
        (THOR, ("39.2.0", "7", ("11.1.0",), "13.0.2")),
    ],
)
def test_versions_are_those_of_the_files(
    tmp_path: Path, files: dict[str, str], versions: tuple[object, ...]
) -> None:
    found = _found(tmp_path, files)
    assert (found.release, found.jetpack, found.tensorrt, found.cuda) == versions


def test_a_mode_that_caps_is_told_with_the_one_that_does_not(tmp_path: Path) -> None:
    found = _found(tmp_path, ORIN_NANO)
    assert found.power_mode == PowerMode(1, "25W")
    power = _finding(found, "Power mode")
    # Neither the highest number (7W is 3) nor the lowest (15W is 0) is the strongest.
    assert power.ok is False
    assert "nvpmodel -m 2" in power.action


def test_without_a_mode_that_caps_nothing_the_most_watts_are_best(tmp_path: Path) -> None:
    modes = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=7W >\n"
    files = {**ORIN_NANO, "etc/nvpmodel.conf": modes, "var/lib/nvpmodel/status": "pmode:0000\n"}
    assert _finding(_found(tmp_path, files), "Power mode").ok is True


def test_a_mode_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    files = {**CONTAINER, "var/lib/nvpmodel/status": "pmode:0004\n"}
    assert _found(tmp_path, files).power_mode == PowerMode(4, "unnamed")


def test_clocks_are_locked_where_their_limits_meet(tmp_path: Path) -> None:
    orin = _found(tmp_path / "nano", ORIN_NANO)
    assert not any(clock.locked for clock in orin.clocks)
    assert [clock.name for clock in orin.clocks] == ["GPU clock 17000000.gpu", "CPU clocks"]
    gpu = orin.clocks[0]
    assert (gpu.current_mhz, gpu.lowest_mhz, gpu.highest_mhz) == (306.0, 306.0, 918.0)
    assert "jetson_clocks" in _finding(orin, "CPU clocks").action

    agx = _found(tmp_path / "agx", AGX_ORIN)
    assert all(clock.locked for clock in agx.clocks)

    thor = {clock.name: clock.locked for clock in _found(tmp_path / "thor", THOR).clocks}
    assert thor == {
        "Memory clock": True,
        "GPU clock gpu-gpc-0": True,
        "GPU clock gpu-nvd-0": False,
        "CPU clocks": True,
    }


def test_clusters_locked_at_different_speeds_are_locked(tmp_path: Path) -> None:
    folder = "sys/devices/system/cpu/cpufreq/policy8"
    other = {f"{folder}/scaling_{end}_freq": "1190400\n" for end in ("min", "max")}
    found = _found(tmp_path, {**AGX_ORIN, **other})
    assert _finding(found, "CPU clocks").ok is True


def test_swap_in_compressed_memory_is_told_apart_from_a_disk(tmp_path: Path) -> None:
    zram = _finding(_found(tmp_path / "nano", ORIN_NANO), "Swap")
    assert zram.ok is False
    assert zram.value.startswith("3.6 GiB")
    assert _finding(_found(tmp_path / "agx", AGX_ORIN), "Swap").ok is True
    assert _finding(_found(tmp_path / "thor", THOR), "Swap").value == "none"


def test_what_a_container_does_not_see_is_not_available_and_nothing_else(tmp_path: Path) -> None:
    found = _found(tmp_path, CONTAINER)
    assert found.release is None
    assert {finding.ok for finding in found.findings} == {None}
    assert all(finding.value == "not available here" for finding in found.findings)


def test_the_doctor_tells_them_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _found(tmp_path, ORIN_NANO)
    monkeypatch.setattr(import_module("plait.doctor.environment"), "jetson", lambda: found)
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "sudo nvpmodel -m 2" in told
    assert "36.4.3, JetPack 6" in told
    assert run(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["environment"]["jetson"] == _as_json(found)


def _as_json(found: Jetson) -> Any:
    """As a JSON reader sees it."""
    return json.loads(json.dumps(found.to_json()))


def test_findings_are_plain_data(tmp_path: Path) -> None:
    told = _as_json(_found(tmp_path, THOR))
    assert told["jetpack"] == "7"
    assert told["power_mode"] == {"number": 1, "name": "120W"}
    assert len(told["clocks"]) == 4


@given(
    name=st.sampled_from(sorted({**ORIN_NANO, **THOR}.keys() - {"proc/device-tree/model"})),
    text=st.text(max_size=60),
)
def test_garbage_in_a_file_costs_its_own_finding_only(
    tmp_path_factory: pytest.TempPathFactory, name: str, text: str
) -> None:
    root = tmp_path_factory.mktemp("tree")
    board = {"proc/device-tree/model": THOR["proc/device-tree/model"]}
    found = _found(root, {**ORIN_NANO, **THOR, **board, name: text})
    assert all(finding.value for finding in found.findings)
    json.dumps(found.to_json())
