"""Puts fused operators in place of the chains of nodes that exporters write for them.

>>> from plait_export.rewrite import rewrite
>>> rewritten = rewrite("model.onnx", [{"pixel_values": pixels}])
>>> onnx.save(rewritten.model, "fused.onnx")
"""

from plait_export.rewrite.match import NearMiss
from plait_export.rewrite.rewriting import Replaced, Rewritten, may_hold_operators, rewrite

__all__ = ["NearMiss", "Replaced", "Rewritten", "may_hold_operators", "rewrite"]
