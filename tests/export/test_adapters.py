"""A bundle of a library's model answers raw samples as the library does, in the core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import plait
from plait_export import Deployment, adapters, export
from plait_export.alone import NAME as ALONE
from plait_export.alone import load_alone
from plait_export.describe import Frame, Modality, Sound, Text
from plait_export.graphs import head_feeds
from plait_export.trace import encoder_of, run_module
from tests.export.adapter_models import CASES, SENTENCES, Answers

pytestmark = pytest.mark.filterwarnings("ignore")


def raw(modality: Modality, random: np.random.Generator, index: int) -> Any:
    """Pictures of odd sizes, sounds of any length that is taken, texts that are cut and padded."""
    if isinstance(modality, Text):
        return SENTENCES[index % len(SENTENCES)]
    if isinstance(modality, Frame):
        # Not tall: Pillow 13 resizes the rows of tall pictures first, a grey level off.
        height = 2 * int(random.integers(20, 120)) + 1
        width = 2 * int(random.integers(height // 2, 160)) + 1
        coarse = random.integers(0, 256, (9, 7, 3))
        rows, columns = (np.arange(side) * n // side for side, n in ((height, 9), (width, 7)))
        noise = random.integers(-20, 20, (height, width, 3))
        return (coarse[rows][:, columns] + noise).clip(0, 255).astype(np.uint8)
    assert isinstance(modality, Sound)
    least = modality.samples if modality.shorter == "refuse" else 5000
    most = modality.samples if modality.longer == "refuse" else modality.samples * 2
    length = int(random.integers(least, most + 1))
    return random.normal(0.0, 0.1, length).astype(np.float32).cumsum().clip(-1, 1) * 0.5


def samples_of(deployment: Deployment, random: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {name: raw(modality, random, index) for name, modality in deployment.modalities.items()}
        for index in range(4)
    ]


def assert_near(ours: Answers, expected: Answers) -> None:
    assert ours.keys() == expected.keys()
    for head, theirs in expected.items():
        a, b = ours[head].ravel().astype(np.float64), theirs.ravel().astype(np.float64)
        cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        assert cosine >= 0.9999, f"{head}: {cosine}"
        np.testing.assert_allclose(a, b, atol=1e-3 * np.abs(b).max(), err_msg=head)


def in_torch(deployment: Deployment, sample: dict[str, Any]) -> Answers:
    """By the adapter's own modules, on what the core prepares."""
    embeddings = {
        name: run_module(
            encoder_of(modality).eval(), [load_alone(modality).prepare(ALONE, sample[name])]
        )
        for name, modality in deployment.modalities.items()
    }
    answers = {}
    for head in deployment.heads:
        names = deployment.head_modalities(head)
        feeds = list(head_feeds(names, embeddings, names).values())
        answers[head] = run_module(deployment.heads[head].module.eval(), feeds)
    return answers


# What is traced differs by tower, and tracing takes the time: the others prove their modules.
EXPORTED = ("ast", "clap", "clip", "sentence", "siglip", "vit", "whisper")
BY_MODULES = [(family, 1) for family in CASES] + [(f, 0) for f in CASES if f not in EXPORTED]


@pytest.mark.parametrize("family", EXPORTED)
def test_a_bundle_answers_as_the_library_does(
    family: str, tmp_path: Path, generator: np.random.Generator
) -> None:
    case = CASES[family][0]
    torch.manual_seed(int(generator.integers(2**31)))
    case.make(tmp_path)
    deployment = adapters.from_transformers(tmp_path)
    samples = samples_of(deployment, generator)
    export(deployment, tmp_path / "x.plait", samples=samples, precisions=("fp32",))
    model = plait.load(tmp_path / "x.plait", threads=1)
    assert min(model.manifest["lineage"]["original"]["cosine"].values()) >= 0.9999
    found = []
    for sample in samples:
        result = model(**sample)
        ours = {head: np.array(result[head].output)[None] for head in result}
        assert_near(ours, case.ask(tmp_path, sample))
        found.append(next(iter(ours.values())).ravel())
    assert np.ptp(np.stack(found), axis=0).max() > 1e-3, "all samples are answered alike"


@pytest.mark.parametrize(("family", "index"), BY_MODULES)
def test_an_adapters_modules_answer_as_the_library_does(
    family: str, index: int, tmp_path: Path, generator: np.random.Generator
) -> None:
    case = CASES[family][index]
    torch.manual_seed(int(generator.integers(2**31)))
    case.make(tmp_path)
    deployment = adapters.from_transformers(tmp_path)
    for sample in samples_of(deployment, generator):
        assert_near(in_torch(deployment, sample), case.ask(tmp_path, sample))
