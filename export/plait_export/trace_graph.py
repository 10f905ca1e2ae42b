"""From one PyTorch module to one ONNX graph with a dynamic batch and docs/bundle.md's names."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from plait_export import ops
from plait_export.errors import ExportError
from plait_export.graphs import (
    BATCH,
    Form,
    Graph,
    Role,
    TensorDescription,
    clean,
    graph_shape,
    is_fused,
    rename_values,
)

OPSET = 20
_OUTSIDE = "plait_outside_"


def export_graph(
    module: nn.Module,
    feeds: Mapping[str, NDArray[Any]],
    *,
    name: str,
    role: Role,
    outputs: Sequence[str],
    where: str,
) -> Graph:
    """One graph of a module; the first axis of everything is the batch. Raises ExportError."""
    example = tuple(torch.from_numpy(array) for array in feeds.values())
    batch = torch.export.Dim(BATCH, min=1)
    # Names that no value inside has; the canonical ones follow.
    named = {f"{_OUTSIDE}{given}": given for given in (*feeds, *outputs)}
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                opset_version=OPSET,
                custom_translation_table=ops.translations(),
                input_names=[f"{_OUTSIDE}{given}" for given in feeds],
                output_names=[f"{_OUTSIDE}{given}" for given in outputs],
                dynamic_shapes=(tuple({0: batch} for _ in example),),
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        raise ExportError(
            where=where,
            expected="a module that torch.onnx.export can export with a dynamic batch",
            got=first_lines(error),
            action="Keep Python control flow on tensor values, and sizes of one batch, out of "
            "forward; the full error is the cause of this one.",
        ) from error
    if program is None:
        raise ExportError(
            where=where,
            expected="an ONNX program",
            got="none from torch.onnx.export",
            action="Try torch.onnx.export on the module by itself.",
        )
    model = clean(program.model_proto, name)
    rename_values(model, named)
    inputs = tuple(_describe(value, where) for value in model.graph.input)
    given_back = [_describe(value, where) for value in model.graph.output]
    if [tensor.name for tensor in inputs] != list(feeds) or len(given_back) != len(outputs):
        raise ExportError(
            where=where,
            expected=f"a graph with inputs {', '.join(feeds)} and outputs {', '.join(outputs)}",
            got=f"inputs {', '.join(t.name for t in inputs)} and {len(given_back)} outputs",
            action="A forward has to take each of its inputs once and return one tensor.",
        )
    form: Form = "fused" if is_fused(model) else "portable"
    serialized = model.SerializeToString(deterministic=True)
    return Graph(name, role, inputs, given_back[0], serialized, form, tuple(given_back[1:]))


def _describe(value: onnx.ValueInfoProto, where: str) -> TensorDescription:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return TensorDescription(value.name, _shape(value, where), dtype.name)


def _shape(value: onnx.ValueInfoProto, where: str) -> tuple[int, ...]:
    dims = graph_shape(value)
    rest = [dim for dim in dims[1:] if isinstance(dim, int)]
    if not dims or dims[0] != BATCH or len(rest) != len(dims) - 1:
        raise ExportError(
            where=where,
            expected=f"{value.name} of shape [{BATCH}, fixed sizes]",
            got=f"shape {dims}",
            action="Keep the batch first and free (x.shape[0], not len(x)); no other size may "
            "depend on the data.",
        )
    return tuple(rest)


def first_lines(error: BaseException) -> str:
    """An error in a line or two."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:400]}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's chatter off the terminal; what matters comes as an exception."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
