"""Builds one engine, in a process of its own: python -m plait.engines.worker REQUEST.json

The parser aborts the process on some graphs, and memory is best measured of a process that does
nothing else. Lines on stdout tell how far it is; the report says what came of it. Exit status 0:
the plan is written; 1: the report has the reason.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from plait.engines.layers import layers_of, memory_of, summary
from plait.engines.tensorrt import TensorRT, open_tensorrt
from plait.errors import Error

_FAILURES = ("INTERNAL_ERROR", "ERROR")
_MOST_MESSAGES = 20


class _Failed(Exception):
    """The builder did not do it; the reasons are in what it logged."""


class _Build:
    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._messages: list[tuple[str, str]] = []
        self._tensorrt: TensorRT = open_tensorrt(request["backend"])
        self._logger = self._tensorrt.logger(self._hear)
        self.report: dict[str, Any] = {"tensorrt": self._tensorrt.version}

    def run(self) -> None:
        begin = time.monotonic()
        if self._request["plugins"] is not None:
            self._tensorrt.load_plugins(self._request["plugins"])
        builder = self._tensorrt.module.Builder(self._logger)
        network = self._tensorrt.network(builder)
        self._parse(network)
        self.report["parse_seconds"] = time.monotonic() - begin
        config = builder.create_builder_config()
        request = self._request
        self._tensorrt.configure(config, request["targets"], request["workspace"])
        self._tensorrt.monitor(config, _tell)
        timings = Path(request["timing_cache"]) if request["timing_cache"] else None
        if timings is not None:
            known = timings.read_bytes() if timings.exists() else b""
            self.report["timing_cache"] = self._tensorrt.use_timing_cache(config, known)
        self._add_profile(builder, network, config)
        _tell("build", 0, 1)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise _Failed("the builder returned no engine")
        self._check()
        # Not as bytes: a copy would be the peak of memory.
        with open(request["plan"], "wb") as file:
            file.write(memoryview(plan))
        if timings is not None:
            timings.write_bytes(self._tensorrt.timing_cache(config))
        _tell("build", 1, 1)
        said = [message for _, message in self._messages]
        self.report |= {
            "seconds": time.monotonic() - begin,
            "plan_bytes": plan.nbytes,
            "layers": summary(layers_of(said)),
            "memory": memory_of(said),
        }

    def notes(self) -> dict[str, Any]:
        """What was logged that somebody should read, and the memory that it took."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        errors = [message for level, message in self._messages if level in _FAILURES]
        warnings = dict.fromkeys(m for level, m in self._messages if level == "WARNING")
        return {
            "errors": errors[:_MOST_MESSAGES],
            "warnings": list(warnings)[:_MOST_MESSAGES],
            "peak_rss_bytes": peak,
        }

    def _hear(self, severity: str, message: str) -> None:
        self._messages.append((severity, message))

    def _parse(self, network: Any) -> None:
        _tell("parse", 0, 1)
        parser = self._tensorrt.module.OnnxParser(network, self._logger)
        if not parser.parse_from_file(self._request["graph"]):
            reasons = [parser.get_error(index) for index in range(parser.num_errors)]
            raise _Failed("; ".join(_parser_error(reason) for reason in reasons))
        self._check()
        _tell("parse", 1, 1)

    def _add_profile(self, builder: Any, network: Any, config: Any) -> None:
        profile = builder.create_optimization_profile()
        for index in range(network.num_inputs):
            name = network.get_input(index).name
            profile.set_shape(name, *(tuple(shape) for shape in self._request["profiles"][name]))
        if config.add_optimization_profile(profile) < 0:
            raise _Failed(f"profile {json.dumps(self._request['profiles'])} was refused")
        self._check()

    def _check(self) -> None:
        """Setters log their errors and go on."""
        errors = [message for level, message in self._messages if level in _FAILURES]
        if errors:
            raise _Failed(errors[0])


def _parser_error(error: Any) -> str:
    return f"node {error.node_name()} ({error.node_operator()}): {error.desc()}"


def _tell(stage: str, done: int, total: int) -> None:
    print(json.dumps({"stage": stage, "done": done, "total": total}), flush=True)


def main(path: str) -> int:
    """Does what the request says; the exit status."""
    request = json.loads(Path(path).read_text())
    report: dict[str, Any] = {}
    build: _Build | None = None
    try:
        build = _Build(request)
        build.run()
        problem = None
    except (_Failed, Error, OSError) as error:
        problem = str(error)
    except Exception as error:  # pybind11's own, of any type
        problem = f"{type(error).__name__}: {error}"
    if build is not None:
        report = build.report | build.notes()
    report["problem"] = problem
    Path(request["report"]).write_text(json.dumps(report))
    return 0 if problem is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
