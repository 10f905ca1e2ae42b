"""The ONNX graphs answer as the PyTorch modules do, and what cannot is refused with its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from plait_export import Classification, Deployment, Embedding, ExportError, Space, reference
from plait_export.graphs import relative_error
from plait_export.parity import LIMIT, check_parity
from plait_export.presence import presence_sets
from plait_export.progress import silent
from plait_export.trace import trace
from tests.export.conftest import Case
from tests.export.models import LABELS, Encoder, Fusion, one_modality, raw_samples, signal


def run(graph: bytes, feeds: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    answer: np.ndarray[Any, Any] = session.run(None, feeds)[0]
    return answer


def test_every_graph_is_within_the_limit_in_every_presence_set(case: Case) -> None:
    rows = check_parity(case.traced, case.samples, case.sets, silent)
    assert {row.graph for row in rows} == set(case.traced.graphs)
    assert len([row for row in rows if row.graph == "activity_head"]) == 7
    assert len([row for row in rows if row.graph == "effort_head"]) == 3
    assert len([row for row in rows if row.graph == "person_head"]) == 1
    assert all(row.max_relative_error <= LIMIT for row in rows)
    assert all({1, 2, 5}.issubset(row.batches) for row in rows)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_any_batch_answers_as_the_users_own_module(case: Case, batch: int) -> None:
    described = case.deployment.modalities["motion"]
    prepared = reference.prepare_all(described, [s["motion"] for s in case.samples[:batch]])
    encoder = described.encoder.eval()
    with torch.no_grad():
        expected = encoder(torch.from_numpy(prepared)).numpy()
    answer = run(case.traced.graphs["motion_encoder"].onnx, {"sample": prepared})
    assert answer.shape == (batch, 7)
    assert relative_error(answer, expected) < LIMIT


def test_graphs_bear_the_canonical_names_and_a_free_batch(case: Case) -> None:
    names = {
        "motion_encoder": (["sample"], ["embedding"]),
        "turning_encoder": (["sample"], ["embedding"]),
        "heart_encoder": (["sample"], ["embedding"]),
        "activity_head": (["motion", "turning", "heart", "presence"], ["logits"]),
        "effort_head": (["heart", "motion", "presence"], ["value"]),
        "person_head": (["turning", "presence"], ["embedding"]),
    }
    assert list(case.traced.graphs) == list(names)
    for name, graph in case.traced.graphs.items():
        model = onnx.load_from_string(graph.onnx)
        onnx.checker.check_model(model, full_check=True)
        assert {node.domain for node in model.graph.node} == {""}
        assert [opset.version for opset in model.opset_import] == [20]
        inputs, outputs = names[name]
        assert [value.name for value in model.graph.input] == inputs
        assert [value.name for value in model.graph.output] == outputs
        for value in (*model.graph.input, *model.graph.output):
            assert value.type.tensor_type.shape.dim[0].dim_param == "batch"
            assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_graphs_tell_nothing_of_this_machine(case: Case) -> None:
    for graph in case.traced.graphs.values():
        model = onnx.load_from_string(graph.onnx)
        assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
        assert b".py" not in graph.onnx
        names = [node.name for node in model.graph.node]
        assert len(set(names)) == len(names) and all(names)
    encoder = onnx.load_from_string(case.traced.graphs["heart_encoder"].onnx)
    assert "second.Gemm" in [node.name for node in encoder.graph.node]


def test_the_users_modules_stay_as_they_are(generator: np.random.Generator) -> None:
    encoder = Encoder(3, 4)
    encoder.train()
    encoder.norm.eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    deployment = one_modality(encoder, 4)
    trace(deployment, raw_samples(deployment, generator, 3), silent)
    assert encoder.training and not encoder.norm.training
    after = encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_dropout_and_batch_norm_are_in_evaluation_mode(generator: np.random.Generator) -> None:
    encoder = nn.Sequential(Encoder(3, 6), nn.Dropout(0.5), nn.BatchNorm1d(6)).train()
    deployment = one_modality(encoder, 6)
    samples = raw_samples(deployment, generator, 5)
    traced = trace(deployment, samples, silent)
    check_parity(traced, samples, presence_sets(deployment), silent)


class ReadsAbsent(nn.Module):
    """A head that forgets to look at presence."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(8, 3)

    def forward(self, first: Tensor, second: Tensor, presence: Tensor) -> Tensor:
        answer: Tensor = self.output(torch.cat([first, second], dim=1)) + 0.0 * presence.sum()
        return answer


def test_a_head_that_reads_an_absent_embedding_is_refused(generator: np.random.Generator) -> None:
    deployment = Deployment(
        name="two",
        modalities={name: signal(Encoder(3, 4), 3, 37) for name in ("left", "right")},
        heads={"activity": Classification(ReadsAbsent(), labels=LABELS)},
    )
    samples = raw_samples(deployment, generator, 4)
    traced = trace(deployment, samples, silent)
    with pytest.raises(ExportError, match="does not depend on the absent right's embedding"):
        check_parity(traced, samples, presence_sets(deployment), silent)


class Fixed(nn.Module):
    """An encoder that fixes its batch."""

    def forward(self, sample: Tensor) -> Tensor:
        return sample.reshape(3, 111)[:, :4]


class FixedByLength(nn.Module):
    """An encoder that asks Python for the batch, which then is a number."""

    def forward(self, sample: Tensor) -> Tensor:
        return sample.mean(dim=2) + torch.zeros(1, 3).expand(len(sample), -1)


class Forgetful(nn.Module):
    """An encoder that answers otherwise each time."""

    def forward(self, sample: Tensor) -> Tensor:
        return sample.mean(dim=2) + torch.randn(sample.shape[0], 3)


class Returns(nn.Module):
    """An encoder that returns whatever it is told to."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def forward(self, sample: Tensor) -> Any:
        return self.make(sample)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        (nn.Conv1d(5, 4, 3), "a module whose forward takes sample \\[3, 3, 37\\]"),
        (Returns(lambda x: (x, x)), "one float32 tensor"),
        (Returns(lambda x: x.double()), "float64"),
        (Returns(lambda x: x.mean()), "an output of shape"),
        (Returns(lambda x: x.mean(dim=0)[0]), "an output of shape"),
        (Returns(lambda x: x / 0.0), "finite output"),
        (Fixed(), "batch"),
        (FixedByLength(), r"not len\(x\)"),
    ],
)
def test_an_encoder_that_cannot_be_exported_is_refused_by_name(
    encoder: nn.Module, words: str, generator: np.random.Generator
) -> None:
    deployment = one_modality(encoder, 4)
    with pytest.raises(ExportError, match=words) as raised:
        trace(deployment, raw_samples(deployment, generator, 3), silent)
    assert "modality motion, encoder" in raised.value.where


def test_random_answers_fail_parity(generator: np.random.Generator) -> None:
    deployment = one_modality(Forgetful(), 3)
    samples = raw_samples(deployment, generator, 6)
    traced = trace(deployment, samples, silent)
    with pytest.raises(ExportError, match=r"PyTorch's answer within a relative error of 0\.0001"):
        check_parity(traced, samples, presence_sets(deployment), silent)


def test_embeddings_that_are_said_to_be_of_unit_length_have_to_be(
    generator: np.random.Generator,
) -> None:
    deployment = Deployment(
        name="one",
        modalities={"motion": signal(Encoder(3, 4), 3, 37)},
        heads={"place": Embedding(Fusion((4,), 6), space=Space("room", normalized=True))},
    )
    samples = raw_samples(deployment, generator, 4)
    traced = trace(deployment, samples, silent)
    with pytest.raises(ExportError, match="unit length"):
        check_parity(traced, samples, presence_sets(deployment), silent)


def test_labels_have_to_be_as_many_as_logits(generator: np.random.Generator) -> None:
    deployment = Deployment(
        name="one",
        modalities={"motion": signal(Encoder(3, 4), 3, 37)},
        heads={"activity": Classification(Fusion((4,), 2), labels=LABELS)},
    )
    with pytest.raises(ExportError, match=r"\[batch, 3\].*one for each label"):
        trace(deployment, raw_samples(deployment, generator, 3), silent)


def test_relative_error_is_scaled_by_the_reference_and_never_hides_a_nan() -> None:
    ones = np.ones((2, 3), np.float32)
    assert relative_error(ones, ones) == 0.0
    assert relative_error(np.zeros(3), np.zeros(3)) == 0.0
    assert relative_error(ones * 0.0, ones) == 1.0
    assert relative_error(ones * 102.0, ones * 100.0) == pytest.approx(0.02)
    assert relative_error(ones, np.zeros((2, 3))) == np.inf
    assert relative_error(ones, np.ones((3, 2))) == np.inf
    assert not relative_error(ones * np.nan, ones) <= 1e9
