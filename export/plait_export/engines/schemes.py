"""The ways to make a graph for engines: in float16, and in 8 bits as TensorRT wants them."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnxruntime.quantization.quant_utils import QuantType

from plait_export.candidate import Target
from plait_export.engines.half import half
from plait_export.engines.ranges import must_stay_float, wide_pairs
from plait_export.engines.rounding import rounded_twin
from plait_export.engines.scatter import without_reductions
from plait_export.quantize import Quantizable, Scheme, StaticInt8
from plait_export.quantize.schemes import as_ordered


@dataclass(frozen=True)
class EngineFloat16:
    """Strongly typed float16, with float32 where float16 would overflow or lose too much."""

    name: str = "float16-typed"
    precision: str = "fp16"
    fragile: bool = True
    target: Target = "tensorrt"

    def layers(self, graph: Quantizable) -> dict[str, str]:
        forced = must_stay_float(graph)
        return {name: op for name, op in graph.layers.items() if name not in forced}

    def forced(self, graph: Quantizable) -> dict[str, str]:
        return must_stay_float(graph)

    def apply(self, graph: Quantizable, kept: frozenset[str]) -> bytes:
        return as_ordered(without_reductions(half(graph.folded, kept | self.forced(graph).keys())))

    def judged(self, model: bytes) -> bytes:
        return as_ordered(rounded_twin(onnx.load_model_from_string(model)))


@dataclass(frozen=True)
class EngineInt8(StaticInt8):
    """Explicit symmetric Q/DQ: signed 8 bits, zero point 0, weights by channel."""

    target: Target = "tensorrt"

    def apply(self, graph: Quantizable, kept: frozenset[str]) -> bytes:
        made = super().apply(graph, kept)
        model = onnx.load_model_from_string(made)
        written_out = without_reductions(model)
        return made if written_out is model else as_ordered(written_out)

    def reduced_range(self) -> bool:
        return False

    def options(self) -> dict[str, bool]:
        # TensorRT adds a bias in float, after the product in 8 bits.
        return {**super().options(), "QuantizeBias": False}


@dataclass(frozen=True)
class EngineInt8InHalf(EngineInt8):
    """The same, and float16 between the layers in 8 bits where that holds the values."""

    fragile: bool = True

    def forced(self, graph: Quantizable) -> dict[str, str]:
        return must_stay_float(graph)

    def apply(self, graph: Quantizable, kept: frozenset[str]) -> bytes:
        made = StaticInt8.apply(self, graph, kept)
        model = graph.folded if made == graph.graph.onnx else onnx.load_model_from_string(made)
        stays = kept | self.forced(graph).keys() | wide_pairs(model)
        return as_ordered(without_reductions(half(model, stays)))

    def judged(self, model: bytes) -> bytes:
        return as_ordered(rounded_twin(onnx.load_model_from_string(model)))


_S8 = QuantType.QInt8

# The first that passes is taken: none of them can be timed where it is exported.
ENGINE_SCHEMES: tuple[Scheme, ...] = (
    EngineFloat16(),
    EngineInt8InHalf("qdq-s8s8-symmetric-float16", _S8, _S8, per_channel=True),
    EngineInt8("qdq-s8s8-symmetric", _S8, _S8, per_channel=True),
    EngineInt8("qdq-s8s8-symmetric-encoders", _S8, _S8, per_channel=True, roles=("encoder",)),
)
