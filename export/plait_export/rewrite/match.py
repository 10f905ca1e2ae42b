"""What a pass hands back: a replacement to try, or a reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from plait_export.rewrite.graph import Array


@dataclass(frozen=True)
class NearMiss:
    """node: what looked like the start of something. reason: why it was left as it is."""

    operator: str
    node: str
    reason: str

    def to_json(self) -> dict[str, str]:
        return {"operator": self.operator, "node": self.node, "reason": self.reason}


class Unfit(Exception):
    """Raised inside of a pass where what it looks at is not what it seemed to be."""


@dataclass
class Match:
    """Nodes that compute `value` again. node: for reports. detail: sizes, in words."""

    operator: str
    node: str
    value: str
    detail: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    domain: str = ""

    def constant(self, hint: str, array: Array) -> str:
        """The name of a new initializer."""
        name = f"{self.value}_plait_{hint}_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, op_type: str, inputs: list[str], domain: str = "", **said: Any) -> str:
        """The name of a new node's output."""
        name = f"{self.value}_plait_{op_type}_{len(self.nodes)}"
        node = onnx.helper.make_node(op_type, inputs, [name], name, domain=domain, **said)
        self.nodes.append(node)
        return name

    def reshape(self, value: str, shape: list[int]) -> str:
        """A zero copies the size."""
        return self.add("Reshape", [value, self.constant("shape", np.array(shape, np.int64))])

    def finish(self, value: str) -> None:
        """Says which of the new values stands for the replaced one."""
        for node in self.nodes:
            for listed in (node.input, node.output):
                for position, name in enumerate(listed):
                    if name == value:
                        listed[position] = self.value
