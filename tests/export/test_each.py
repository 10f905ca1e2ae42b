"""Operators that know no batch: each element of one is as if it were alone."""

from __future__ import annotations

import contextlib

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from plait_export import ops
from plait_export.graphs import is_fused


class Pooled(nn.Module):
    """[batch, rows, channels] and weights [batch, channels] -> [batch, 3, channels]."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offsets", torch.tensor([0, 2, 2, 7], dtype=torch.int32))

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        return ops.each(self.one, values, weights)

    def one(self, values: Tensor, weights: Tensor) -> Tensor:
        assert isinstance(self.offsets, Tensor)
        return ops.segment_reduce(values, self.offsets, "max") * weights


def test_a_batch_is_its_elements_stacked(generator: np.random.Generator) -> None:
    module = Pooled()
    values, weights = (torch.from_numpy(generator.normal(size=s)) for s in ((5, 7, 3), (5, 3)))
    together = module(values, weights)
    for index in range(5):
        torch.testing.assert_close(together[index], module.one(values[index], weights[index]))


@pytest.mark.parametrize("portable", [True, False])
def test_an_export_has_a_free_batch_in_both_forms(
    generator: np.random.Generator, portable: bool
) -> None:
    module = Pooled().eval()

    def inputs(batch: int) -> tuple[Tensor, Tensor]:
        values = generator.normal(size=(batch, 7, 3)).astype(np.float32)
        weights = generator.normal(size=(batch, 3)).astype(np.float32)
        return torch.from_numpy(values), torch.from_numpy(weights)

    batch = torch.export.Dim("batch", min=1)
    with ops.portable() if portable else contextlib.nullcontext():
        program = torch.onnx.export(
            module,
            inputs(3),
            dynamo=True,
            opset_version=20,
            dynamic_shapes=({0: batch}, {0: batch}),
            custom_translation_table=ops.translations(),
            verbose=False,
        )
    assert program is not None
    assert is_fused(program.model_proto) != portable
    if not portable:
        return  # what it answers is held against torch wherever a bundle is exported
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for count in (1, 2, 6):
        fed = inputs(count)
        names = [value.name for value in session.get_inputs()]
        found = session.run(None, {n: t.numpy() for n, t in zip(names, fed, strict=True)})[0]
        np.testing.assert_allclose(found, module(*fed).numpy(), rtol=1e-6)
