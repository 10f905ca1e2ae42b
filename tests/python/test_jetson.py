"""What the doctor says of Jetsons whose files are as documentation describes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.cli import doctor as doctor_command
from plait.cli.application import run
from plait.doctor import Jetson, jetson
from tests.cases.jetson_trees import AGX_ORIN, ORIN_NANO, THOR, THOR_CONTAINER, Tree, plant


def look(tree: Tree, root: Path) -> Jetson:
    found = jetson(plant(tree, root))
    assert found is not None
    return found


def values(found: Jetson) -> dict[str, str | None]:
    return {finding.name: finding.value for finding in found.findings}


def test_an_orin_nano_as_it_comes(tmp_path: Path) -> None:
    found = look(ORIN_NANO, tmp_path)
    assert found.board == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    assert not found.container
    assert values(found) == {
        "Jetson Linux": "36.4.3",
        "JetPack": "6.2+b77",
        "GPU driver": None,
        "TensorRT": "10.3.0",
        "CUDA runtime": "12.6.68",
        "cuDNN": "9.3.0",
        "GPU device": "/dev/nvhost-gpu",
        "Power mode": "25W (mode 1)",
        "CPU clocks": "free from 730 to 1344 MHz",
        "GPU clocks": "free from 306 to 918 MHz",
        "Swap": "0.0 GiB on disk, 3.7 GiB zram",
        "tegrastats": "/usr/bin/tegrastats",
    }
    assert found["Power mode"].command == "sudo nvpmodel -m 2", "mode 0 has 15 W here"
    assert found["GPU clocks"].command == found["CPU clocks"].command == "sudo jetson_clocks"
    assert "killed for memory" in found["Swap"].advice


def test_without_a_mode_that_caps_nothing_most_watts_are_fastest(tmp_path: Path) -> None:
    modes = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=7W >\n"
    tree = {**ORIN_NANO, "etc/nvpmodel.conf": modes}
    slow = look({**tree, "var/lib/nvpmodel/status": "pmode:0001\n"}, tmp_path / "slow")
    assert slow["Power mode"].command == "sudo nvpmodel -m 0"
    fast = look({**tree, "var/lib/nvpmodel/status": "pmode:0000\n"}, tmp_path / "fast")
    assert fast["Power mode"].advice == ""


def test_an_agx_orin_set_up_for_measuring_needs_no_advice(tmp_path: Path) -> None:
    found = look(AGX_ORIN, tmp_path)
    assert [finding.name for finding in found.findings if finding.advice] == []
    assert found["JetPack"].value == "6 (by Jetson Linux 36.4.0)"
    assert found["Power mode"].value == "MAXN (mode 0)"
    assert found["CPU clocks"].value == "locked at 2202 MHz"
    assert found["GPU clocks"].value == "locked at 1300 MHz"
    assert found["Swap"].value == "16.0 GiB on disk, 1.9 GiB zram"


def test_a_thor_whose_mode_nobody_chose(tmp_path: Path) -> None:
    found = look(THOR, tmp_path)
    assert found["JetPack"].value == "7.0 or 7.1 (by Jetson Linux 38.2.0)"
    assert found["GPU driver"].value == "580.00"
    assert found["TensorRT"].value == "11.1.0, 10.13.3", "the newest first"
    assert found["CUDA runtime"].value == "13.0.1", "out of version.json"
    assert found["Power mode"].value == "120W (mode 1)", "the configuration's default"
    assert found["Power mode"].command == "sudo nvpmodel -m 0"
    assert found["GPU clocks"].value == "free from 315 to 1575 MHz"


def test_what_a_container_does_not_see_is_not_available(tmp_path: Path) -> None:
    found = look(THOR_CONTAINER, tmp_path)
    assert found.container
    for name in ("Jetson Linux", "JetPack", "TensorRT", "GPU device", "Power mode", "tegrastats"):
        assert found[name].value is None
    assert "--runtime nvidia" in found["GPU device"].command
    assert "image" in found["TensorRT"].advice, "apt on the host would not help"


@pytest.mark.parametrize("tree", [ORIN_NANO, AGX_ORIN, THOR, THOR_CONTAINER])
def test_files_that_are_missing_or_say_nothing_never_stop_the_doctor(
    tree: Tree, tmp_path: Path
) -> None:
    for number, name in enumerate(tree):
        for text in ("", "\0", "not what it was\n", "1 2 3\n" * 5):
            root = tmp_path / f"{number}"
            others = {other: kept for other, kept in tree.items() if other != name}
            found = jetson(plant({**others, name: text}, root))
            assert found is None or json.dumps(found.to_json())
        missing = {other: kept for other, kept in tree.items() if other != name}
        jetson(plant(missing, tmp_path / f"{number}-missing"))


def test_the_page_explains_every_finding(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "jetson.md").read_text()
    table = page.partition("## What the doctor checks")[2].partition("\n## ")[0]
    explained = {
        name.strip()
        for row in table.splitlines()
        if row.startswith("| ") and not row.startswith("| Finding")
        for name in row.split("|")[1].split(",")
    }
    assert explained == set(values(look(ORIN_NANO, tmp_path)))


def test_another_computer_is_no_jetson(tmp_path: Path) -> None:
    assert jetson(tmp_path) is None
    assert jetson(plant({"proc/device-tree/model": "Raspberry Pi 5\0"}, tmp_path)) is None


def test_the_command_shows_findings_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(doctor_command, "jetson", lambda: look(THOR_CONTAINER, tmp_path))
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    for said in ("Jetson AGX Thor", "in a container", "not available here", "--runtime nvidia"):
        assert said in out
    assert run(["doctor", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["jetson"]
    assert {"name", "value", "advice", "command"} == set(shown["findings"][0])

    monkeypatch.setattr(doctor_command, "jetson", lambda: None)
    assert run(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["jetson"] is None
