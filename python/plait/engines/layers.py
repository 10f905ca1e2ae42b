"""The layers of a built engine, out of what the builder says of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_LINE = re.compile(r"Name: (?P<name>.*?), LayerType: (?P<kind>\w+), Inputs: ")
_TYPE = re.compile(r"Datatype: (\w+)")
_OF_MODEL = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_MEMORY = re.compile(r"Total (Activation|Weights|Device Persistent) Memory: (\d+)")


@dataclass(frozen=True)
class Layer:
    """One kernel of the engine. types: of what it writes. nodes: of the ONNX graph, in it."""

    name: str
    kind: str
    types: tuple[str, ...]
    nodes: tuple[str, ...]


def layers_of(messages: Iterable[str]) -> list[Layer]:
    """Of every message that describes one."""
    found = []
    for message in messages:
        for line in message.splitlines():
            match = _LINE.search(line)
            if match is None:
                continue
            outputs = line.partition("Outputs: ")[2].partition("TacticName")[0]
            types = tuple(dict.fromkeys(_TYPE.findall(outputs)))
            nodes = tuple(dict.fromkeys(_OF_MODEL.findall(line)))
            found.append(Layer(match["name"], match["kind"], types, nodes))
    return found


def memory_of(messages: Iterable[str]) -> dict[str, int]:
    """Device memory that the engine asks for, in bytes, by use."""
    return {
        use.lower().replace(" ", "_"): int(size)
        for message in messages
        for use, size in _MEMORY.findall(message)
    }


def summary(layers: Sequence[Layer]) -> dict[str, Any]:
    """Plain data: how many there are, of which types, and each."""
    types = Counter(kind for layer in layers for kind in layer.types)
    return {
        "count": len(layers),
        "types": dict(sorted(types.items())),
        "each": [asdict(layer) for layer in layers],
    }
