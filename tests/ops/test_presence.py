"""What packing by presence promises of whole networks, and what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
import torch

from plait import SampleError, ops
from tests.cases import fusion_transformer
from tests.ops import cuda
from tests.ops.cases import Generator

LENGTHS = (5, 1, 4)


@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "portable in stock ONNX Runtime"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_packing_transformer_answers_as_one_that_masks(
    fuse: bool, batch: int, generator: Generator
) -> None:
    torch.manual_seed(int(generator.integers(2**31)))
    packing, masking = fusion_transformer.models(LENGTHS, channels=16, heads=2, layers=2)
    tokens = torch.randn(batch, sum(LENGTHS), 16)
    session = fusion_transformer.session(packing, (tokens, torch.ones(batch, 3)), fuse)
    sets = [present for present in itertools.product((0.0, 1.0), repeat=3) if any(present)]
    for first in range(len(sets)):
        # Rows of a batch differ in what is present, and so in length.
        presence = torch.tensor([sets[(first + row) % len(sets)] for row in range(batch)])
        feed = {"tokens": tokens.numpy(), "presence": presence.numpy()}
        with torch.no_grad():
            expected = masking(tokens, presence).numpy()
        np.testing.assert_allclose(session.run(None, feed)[0], expected, rtol=1e-4, atol=1e-5)


def test_the_portable_form_has_no_operator_of_ours() -> None:
    packing, _ = fusion_transformer.models(LENGTHS, channels=16, heads=2, layers=1)
    example = (torch.randn(1, sum(LENGTHS), 16), torch.ones(1, 3))
    domains = {
        fuse: {node.domain for node in onnx.load_from_string(model).graph.node}
        for fuse in (True, False)
        for model in [fusion_transformer.exported(packing, example, fuse)]
    }
    assert ops.DOMAIN in domains[True]
    assert domains[False] == {""}


def test_unpacking_undoes_packing(generator: Generator) -> None:
    lengths = generator.integers(0, 30, 4).astype(np.int32)
    tokens = generator.normal(size=(3, int(lengths.sum()), 21)).astype(np.float32)
    presence = (generator.random((3, 4)) < 0.6).astype(np.float32)
    packed, positions, mask = ops.presence_pack(tokens, presence, lengths)
    absent = generator.normal(size=tokens.shape[1:]).astype(np.float32)
    kept = np.repeat(presence, lengths, axis=1)
    np.testing.assert_array_equal(mask.sum(1), kept.sum(1))
    np.testing.assert_array_equal(
        ops.presence_unpack(packed, positions, absent),
        np.where(kept[:, :, None] == 1.0, tokens, absent),
    )


@pytest.mark.parametrize("lengths", [(-1, 8), (3, 3), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("implementation", ["scalar", "simd"])
def test_lengths_that_are_not_the_tokens_are_refused(
    lengths: tuple[int, int], implementation: str
) -> None:
    tokens, presence = np.zeros((1, 7, 2), np.float32), np.ones((1, 2), np.float32)
    with pytest.raises(SampleError, match="PresencePack, lengths"):
        ops.presence_pack(tokens, presence, np.int32(lengths), implementation=implementation)


@pytest.mark.parametrize(
    "positions", [(0, 1, 5), (0, -2, -1), (1, 0, -1), (1, 1, -1), (-1, 0, 1), (2, -1, 1), (0, 9, 1)]
)
@pytest.mark.parametrize("implementation", ["scalar", "simd"])
def test_positions_that_do_not_rise_or_lie_outside_are_refused(
    positions: tuple[int, ...], implementation: str
) -> None:
    packed, absent = np.zeros((1, 3, 2), np.float32), np.zeros((5, 2), np.float32)
    with pytest.raises(SampleError, match=r"PresenceUnpack, positions\[0\]"):
        ops.presence_unpack(packed, np.int32([positions]), absent, implementation=implementation)


def test_on_cuda_positions_that_make_no_sense_are_left_out(generator: Generator) -> None:
    positions = generator.integers(-9, 20, (2, 7)).astype(np.int32)
    packed = generator.normal(size=(2, 7, 3)).astype(np.float32)
    absent = generator.normal(size=(11, 3)).astype(np.float32)
    (y,) = cuda.library().run("PresenceUnpack", (packed, positions, absent), {})
    for row, token in np.ndindex(2, 11):
        named = packed[row][positions[row] == token]
        assert any(np.array_equal(y[row, token], c) for c in [absent[token], *named])
