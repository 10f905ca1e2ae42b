"""Smaller graphs: half precision and 8 bits, in several schemes, layer by layer."""

from plait_export.quantize.graph import Quantizable, form_of, make_quantizable
from plait_export.quantize.probe import why_not_loadable
from plait_export.quantize.schemes import SCHEMES, DynamicInt8, Float16, Scheme, StaticInt8

__all__ = [
    "SCHEMES",
    "DynamicInt8",
    "Float16",
    "Quantizable",
    "Scheme",
    "StaticInt8",
    "form_of",
    "make_quantizable",
    "why_not_loadable",
]
