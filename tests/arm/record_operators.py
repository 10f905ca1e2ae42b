"""Draws calls of every operator, has torch answer them in float64, and writes both to a file.

record_operators.py FILE.npz: replay_operators.py then compares another machine's answers, on which
torch does not run. Calls of more than a million values are left out: emulation is slow.
"""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.ops.cases import CASES, Array, Call, OperatorCase
from tests.ops.implementations import cast, graph_of, reference, rounded

DRAWS = 4
LARGEST = 1 << 20


def record(path: Path) -> int:
    """Returns how many calls were written."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    generator = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    listed: list[dict[str, Any]] = []
    for case in CASES:
        drawn = [(f"draw {number}", case.draw(generator)) for number in range(DRAWS)]
        drawn += [(edge, draw(generator)) for edge, draw in case.edges.items()]
        for dtype in case.tolerance:
            for title, call in drawn:
                recorded = _arrays(case, call, dtype)
                if max(array.size for array in recorded.values()) > LARGEST:
                    continue
                arrays.update({f"{len(listed)}.{key}": array for key, array in recorded.items()})
                listed.append(_description(case, title, call, dtype, list(recorded)))
    arrays["calls"] = np.array(json.dumps(listed))
    np.savez(path, **arrays)
    return len(listed)


def _arrays(case: OperatorCase, call: Call, dtype: str) -> dict[str, Array]:
    call = rounded(call, dtype)
    inputs = cast(call, dtype)
    graph = graph_of(case, inputs, call.attributes)
    return {
        **{f"input.{i}": array for i, array in enumerate(inputs)},
        **{f"output.{i}": array for i, array in enumerate(reference(case, call))},
        "graph": np.frombuffer(graph, np.uint8),
    }


def _description(
    case: OperatorCase, title: str, call: Call, dtype: str, keys: list[str]
) -> dict[str, Any]:
    return {
        "name": case.name,
        "title": f"{case.name}, {title}, {dtype}",
        "attributes": dict(call.attributes),
        "tolerance": case.tolerance[dtype],
        "inputs": sum(key.startswith("input.") for key in keys),
        "outputs": sum(key.startswith("output.") for key in keys),
    }


if __name__ == "__main__":
    print(f"{record(Path(sys.argv[1]))} calls recorded")
