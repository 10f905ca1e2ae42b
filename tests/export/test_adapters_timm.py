"""Models of timm and open_clip answer as there; skipped where those can't be imported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import plait
from plait import ConfigError
from plait.cli.application import run
from plait_export import adapters, export
from tests.export.adapter_models import picture_of
from tests.export.test_adapters import assert_near, in_torch, samples_of

timm = pytest.importorskip("timm", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("ignore")

SMALL = {"vit_tiny_patch16_224": 3, "resnet10t": 5, "mobilenetv3_small_050": 0}


def saved(folder: Path, name: str, classes: int) -> Path:
    model = timm.create_model(name, pretrained=False, num_classes=classes)
    torch.save({"state_dict": model.state_dict()}, folder / "weights.pth")
    return folder / "weights.pth"


@pytest.mark.parametrize(("name", "classes"), SMALL.items())
def test_a_model_answers_as_timm_does(
    name: str, classes: int, tmp_path: Path, generator: np.random.Generator
) -> None:
    torch.manual_seed(int(generator.integers(2**31)))
    weights = saved(tmp_path, name, classes)
    deployment = adapters.from_timm(name, weights)
    model = timm.create_model(name, pretrained=False, num_classes=classes).eval()
    model.load_state_dict(torch.load(weights)["state_dict"])
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
    samples = samples_of(deployment, generator)
    if name == "resnet10t":
        export(deployment, tmp_path / "x.plait", samples=samples, precisions=("fp32",))
        bundle = plait.load(tmp_path / "x.plait", threads=1)
    for sample in samples:
        ours = in_torch(deployment, sample)
        if name == "resnet10t":
            result = bundle(**sample)
            ours = {head: np.array(result[head].output)[None] for head in result}
        with torch.inference_mode():
            theirs = model(transform(picture_of(sample["image"]))[None]).numpy()
        assert_near(ours, {"label" if classes else "image": theirs})


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    weights = saved(tmp_path, "resnet10t", 2)
    stored = torch.load(weights)["state_dict"]
    del stored["layer1.0.conv1.weight"]
    torch.save(stored, weights)
    with pytest.raises(ConfigError, match=r"missing layer1\.0\.conv1\.weight"):
        adapters.from_timm("resnet10t", weights)
    with pytest.raises(ConfigError, match="resnet"):
        adapters.from_timm("resnet_of_nobody", None)
    assert run(["export", "timm:resnet10t"]) == 2


@pytest.mark.parametrize("end", ["export", "modules"])
def test_open_clip_answers_as_it_does(
    end: str, tmp_path: Path, generator: np.random.Generator
) -> None:
    library = pytest.importorskip("open_clip", exc_type=ImportError)
    towers = {"width": 24, "layers": 1}
    vision = {**towers, "image_size": 40, "patch_size": 8, "head_width": 12}
    words = {
        **towers,
        "heads": 2,
        "context_length": 13 if end == "export" else 77,
        "vocab_size": 49408,
    }
    config = {"embed_dim": 20, "vision_cfg": vision, "text_cfg": words}
    (tmp_path / "small.json").write_text(json.dumps(config))
    library.add_model_config(tmp_path)
    torch.manual_seed(int(generator.integers(2**31)))
    model, _, transform = library.create_model_and_transforms("small", pretrained=None)
    torch.save(model.eval().state_dict(), tmp_path / "weights.pt")
    deployment = adapters.from_open_clip("small", tmp_path / "weights.pt")
    samples = samples_of(deployment, generator)
    if end == "export":
        export(deployment, tmp_path / "x.plait", samples=samples, precisions=("fp32",))
        bundle = plait.load(tmp_path / "x.plait", threads=1)
    tokenizer = library.get_tokenizer("small")
    for sample in samples:
        ours = in_torch(deployment, sample)
        if end == "export":
            result = bundle(**sample)
            ours = {head: np.array(result[head].output)[None] for head in result}
        with torch.inference_mode():
            picture = transform(picture_of(sample["image"]))[None]
            theirs = {
                "image": model.encode_image(picture, normalize=True).numpy(),
                "text": model.encode_text(tokenizer([sample["text"]]), normalize=True).numpy(),
            }
        assert_near(ours, theirs)
