"""`plait build`: real engines ahead of time, TensorRT 10 and 11 by a recorder, and failures."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

import plait
from plait.cli.application import run
from plait.engines import Options, build_engines, jobs_of
from plait.engines.layers import layers_of, memory_of
from plait.engines.memory import available_bytes, check_memory, needed_bytes
from tests.cases.rebundle import rebundle

pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is built for x86-64 only")

TARGETS = "sm86,sm89,sm120"
WINDOW = 37


@pytest.fixture
def bundle(engine_bundle: Path) -> Path:
    return engine_bundle


def arguments(bundle: Path, cache: Path, *more: str) -> list[str]:
    return [
        "build", str(bundle), "--backend", "tensorrt-rtx", "--targets", TARGETS,
        "--cache", str(cache), *more,
    ]  # fmt: skip


def command(bundle: Path, cache: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "plait.cli", *arguments(bundle, cache, *more)]


def answered(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    engines: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["engines"]
    return engines


def plans(cache: Path) -> set[str]:
    return {path.name for path in cache.glob("*.plan")}


def test_every_graph_becomes_an_engine_for_three_targets_and_is_not_built_twice(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache, output = tmp_path / "cache", tmp_path / "out"
    assert run(arguments(bundle, cache, "--json", "-o", str(output))) == 0
    engines = answered(capsys)
    named = {(one["graph"], one["precision"]) for one in engines}
    graphs = ("left_encoder", "right_encoder", "activity_head")
    wanted = {(g, p) for g in graphs for p in ("fp16_tensorrt", "int8_tensorrt")}
    assert named == wanted
    for one in engines:
        report = one["report"]
        assert not one["cached"]
        assert Path(one["plan"]).stat().st_size == one["bytes"] == report["plan_bytes"]
        assert (output / f"{one['graph']}.{one['precision']}.plan").stat().st_size == one["bytes"]
        assert report["targets"] == ["SM86", "SM89", "SM120"]
        assert report["layers"]["count"] == len(report["layers"]["each"]) > 0
        assert report["peak_rss_bytes"] > 2**20
        assert report["errors"] == []
    types = [set(one["report"]["layers"]["types"]) for one in engines]
    halves = [t for one, t in zip(engines, types, strict=True) if "fp16" in one["precision"]]
    assert all("Half" in kinds for kinds in halves)
    whole = [t for one, t in zip(engines, types, strict=True) if "int8" in one["precision"]]
    assert any("Int8" in kinds for kinds in whole)
    kept = [row["why"] for one in engines for row in one["report"]["kept_fp32"]]
    assert any("sums" in why for why in kept)

    before = {path: path.stat().st_mtime_ns for path in cache.glob("*.plan")}
    assert run(arguments(bundle, cache, "--json")) == 0
    assert all(one["cached"] for one in answered(capsys))
    assert {path: path.stat().st_mtime_ns for path in cache.glob("*.plan")} == before


def test_other_targets_and_batches_are_other_engines(bundle: Path, tmp_path: Path) -> None:
    def keys(**changes: Any) -> set[str]:
        options: dict[str, Any] = {"targets": ("sm86",), "batch": (1, 1, 1), **changes}
        return {
            one.key
            for one in build_engines(
                bundle,
                Options("tensorrt-rtx", precisions=["fp32"], cache=tmp_path, **options),
            ).built
        }

    sets = [keys(), keys(targets=("sm89",)), keys(batch=(1, 2, 4))]
    assert len(set.union(*sets)) == sum(map(len, sets))
    assert keys() == sets[0]


def test_a_foreign_operator_is_refused_before_it_is_parsed(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fuse(model: bytes) -> bytes:
        graph = onnx.load_model_from_string(model)
        graph.opset_import.append(helper.make_opsetid("ai.plait", 1))
        graph.graph.node[0].domain = "ai.plait"
        return graph.SerializeToString()

    def name(manifest: dict[str, Any]) -> None:
        (variant,) = [v for v in manifest["variants"] if v["precision"] == "fp16_tensorrt"]
        fused = {**variant, "precision": "fp16_tensorrt_fused", "form": "fused"}
        member = "graphs/left_encoder.int8_tensorrt.onnx"
        fused["members"] = {**variant["members"], "left_encoder": member}
        manifest["variants"].append(fused)

    changed = rebundle(
        bundle,
        tmp_path / "fused.plait",
        manifest=name,
        members={"graphs/left_encoder.int8_tensorrt.onnx": fuse},
    )
    cache = tmp_path / "cache"
    assert run(arguments(changed, cache, "--precision", "fp16_tensorrt_fused")) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "operators of ai.plait" in said
    assert "Build precision fp16_tensorrt." in said
    assert not plans(cache)


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        (("--targets", "sm87"), (2, "on the device")),
        (("--targets", "gpu"), (2, "gpu")),
        (("--batch", "4,1,1"), (2, "smallest")),
        (("--batch", "many"), (2, "three whole numbers")),
        (("--precision", "int8"), (2, "fp32")),
        (("--max-memory", "some"), (2, "a size")),
        (("--max-memory", "20MB"), (5, "by --max-memory")),
        (("--no-build",), (5, "--no-build")),
        (("--backend", "ncnn"), (2, "tensorrt-rtx")),
    ],
)
def test_what_cannot_be_built_is_told(
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    outcome: tuple[int, str],
) -> None:
    code, told = outcome
    assert run(arguments(bundle, tmp_path, *more)) == code
    assert told in " ".join(capsys.readouterr().err.split())
    assert not plans(tmp_path)


def test_tensorrt_that_is_not_installed_is_told_with_where_it_comes_from(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", str(bundle), "--cache", str(tmp_path)]) == 5
    assert "JetPack" in capsys.readouterr().err


def test_a_graph_that_the_parser_refuses_is_told_by_name(bundle: Path, tmp_path: Path) -> None:
    def spoil(model: bytes) -> bytes:
        graph = onnx.load_model_from_string(model)
        graph.graph.node[0].op_type = "NoSuchOperator"
        return graph.SerializeToString()

    def scatter(model: bytes) -> bytes:
        graph = onnx.load_model_from_string(model)
        first = graph.graph.node[0]
        node = helper.make_node("ScatterND", [*first.input[:1]] * 3, first.output, reduction="add")
        first.CopyFrom(node)
        return graph.SerializeToString()

    members = {"activity_head": spoil, "left_encoder": scatter}
    changed = rebundle(
        bundle,
        tmp_path / "bad.plait",
        members={f"graphs/{name}.fp32.onnx": change for name, change in members.items()},
    )
    options = Options(
        "tensorrt-rtx", targets=("sm86",), precisions=["fp32"], cache=tmp_path / "cache"
    )
    engines = build_engines(changed, options)
    problems = {(failure.graph, failure.precision): failure.problem for failure in engines.failed}
    assert set(problems) == {(name, "fp32") for name in members}
    assert "NoSuchOperator" in problems["activity_head", "fp32"]
    assert "Export with engines=" in problems["left_encoder", "fp32"]
    # The other is done.
    assert len(engines.built) == 1
    assert len(plans(tmp_path / "cache")) == 1


def test_two_builders_at_once_build_each_engine_once(bundle: Path, tmp_path: Path) -> None:
    builders = [
        subprocess.Popen(
            command(bundle, tmp_path, "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    built = []
    for builder in builders:
        out, err = builder.communicate()
        assert builder.returncode == 0, err
        built += [one["key"] for one in json.loads(out)["engines"] if not one["cached"]]
    assert len(built) == len(set(built)) == 6


WAITING_BUILDER = '''
"""The real builder, but for one that waits in the middle of a build to be killed."""
import os, signal, time
from tensorrt_rtx import *
from tensorrt_rtx import __version__

class Builder(Builder):
    def build_serialized_network(self, network, config):
        {act}
'''


def with_builder(folder: Path, act: str) -> dict[str, str]:
    """An environment in which the worker finds a builder that acts."""
    import tensorrt_rtx_bindings

    source = Path(tensorrt_rtx_bindings.__file__).parent
    (folder / "tensorrt_rtx_bindings").mkdir(parents=True)
    (folder / "tensorrt_rtx").symlink_to(source)
    (folder / "tensorrt_rtx_bindings" / "__init__.py").write_text(WAITING_BUILDER.format(act=act))
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture
def acting(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    return lambda act: with_builder(tmp_path / "builder", act)


def test_a_build_that_is_killed_leaves_nothing_and_the_next_goes_on(
    bundle: Path, tmp_path: Path, acting: Callable[[str], dict[str, str]]
) -> None:
    cache, reached = tmp_path / "cache", tmp_path / "reached"
    os.mkfifo(reached)
    told = os.open(reached, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with subprocess.Popen(
            command(bundle, cache),
            env=acting(f"open({str(reached)!r}, 'w').write('here'); signal.pause()"),
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        ) as builder:
            ready, _, _ = select.select([told], [], [], 120.0)
            os.killpg(builder.pid, signal.SIGKILL)
    finally:
        os.close(told)
    assert ready, "the builder never came to the middle of a build"
    assert not plans(cache)
    again = build_engines(bundle, Options("tensorrt-rtx", targets=TARGETS.split(","), cache=cache))
    assert len(again.built) == 6
    assert not again.failed


def test_a_worker_that_the_kernel_kills_is_told_as_such(
    bundle: Path, tmp_path: Path, acting: Callable[[str], dict[str, str]]
) -> None:
    done = subprocess.run(
        command(bundle, tmp_path / "cache"),
        env=acting("os.kill(os.getpid(), signal.SIGKILL)"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5
    said = " ".join(done.stderr.split())
    assert "SIGKILL" in said
    assert "swap" in said
    assert not plans(tmp_path / "cache")


def test_a_full_disk_is_told_and_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    """The process may write no file of more than 300 kB, and engines are larger."""
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "from plait.cli.application import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, *arguments(bundle, tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert "File too large" in done.stderr
    assert list(tmp_path.glob("*.plan")) == []
    assert run(arguments(bundle, tmp_path)) == 0


def test_an_altered_plan_is_built_again_or_refused(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(bundle, tmp_path, "--json")) == 0
    first = answered(capsys)[0]
    plan = Path(first["plan"])
    whole = plan.read_bytes()
    os.chmod(plan, 0o644)
    plan.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert run(arguments(bundle, tmp_path, "--no-build")) == 5
    capsys.readouterr()
    assert run(arguments(bundle, tmp_path, "--json")) == 0
    again = answered(capsys)
    assert [one["cached"] for one in again] == [False] + [True] * 5


def test_a_bundle_without_graphs_for_engines_is_built_in_float32(bundle: Path) -> None:
    opened = plait.Bundle(bundle)
    assert {job.precision for job in jobs_of(opened)} == {"fp16_tensorrt", "int8_tensorrt"}
    opened.manifest["variants"][1:] = []
    assert {job.precision for job in jobs_of(opened)} == {"fp32"}


def test_memory_is_estimated_by_size_and_then_by_what_earlier_builds_took() -> None:
    assert needed_bytes("a", 10**9, []) > 4 * 10**9
    past = [
        {"graph_sha256": "a", "peak_rss_bytes": 7},
        {"graph_sha256": "a", "peak_rss_bytes": 9},
        {"graph_sha256": "b", "peak_rss_bytes": 11},
        {},
    ]
    assert needed_bytes("a", 10**9, past) == 9


def test_memory_that_can_be_had_is_what_the_group_and_the_machine_have(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None
    (tmp_path / "proc").mkdir()
    meminfo = "MemTotal: 8000 kB\nMemAvailable:   3000 kB\nSwapFree: 500 kB\n"
    (tmp_path / "proc/meminfo").write_text(meminfo)
    assert available_bytes(tmp_path) == 3500 * 1024
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("100\n")
    assert available_bytes(tmp_path) == 3500 * 1024
    (group / "memory.max").write_text("1100\n")
    assert available_bytes(tmp_path) == 1000
    with pytest.raises(plait.BackendError, match="swap on a disk"):
        check_memory("here", 2000, None, 1000)
    check_memory("here", 1000, 2000, 1000)


def test_layers_and_memory_are_read_out_of_what_the_builder_says() -> None:
    said = [
        "Layers:\nName: fused, LayerType: kgen, Inputs: [ { Name: x, Datatype: Float }], "
        "Outputs: [ { Name: y, Datatype: Half }], TacticName: t, "
        "Metadata: [ONNX Layer: a.Conv][ONNX Layer: a.Relu][ONNX Layer: a.Conv]\n"
        "Name: other, LayerType: gemm, Inputs: [], Outputs: [ { Name: z, Datatype: Int8 }]",
        "Total Activation Memory: 8205312 bytes",
        "Total Weights Memory: 80272 bytes",
    ]
    fused, other = layers_of(said)
    assert (fused.kind, fused.types, fused.nodes) == ("kgen", ("Half",), ("a.Conv", "a.Relu"))
    assert (other.name, other.types) == ("other", ("Int8",))
    assert memory_of(said) == {"activation": 8205312, "weights": 80272}
