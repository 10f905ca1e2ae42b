"""What an adapter can't represent is refused by name, and nothing is written."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from plait import ConfigError
from plait.cli.application import run
from plait_export import (
    Deployment,
    Embedding,
    ExportError,
    Sound,
    Waveform,
    adapters,
    export,
)
from tests.export.adapter_models import CASES, fast

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    CASES["clip"][0].make(tmp_path)
    return tmp_path


def changed(file: Path, **fields: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def refused(folder: Path, named: str, **said: Any) -> None:
    with pytest.raises(ConfigError, match=named):
        adapters.from_transformers(folder, **said)


def test_a_model_type_without_an_adapter_is_named(tmp_path: Path) -> None:
    transformers.BlipConfig().save_pretrained(tmp_path)
    refused(tmp_path, "model_type.*expected one of .*clip.* got 'blip'")
    changed(tmp_path / "config.json", model_type="nothing")
    refused(tmp_path, "model_type.*nothing")


def test_a_class_without_an_adapter_is_named(clip: Path) -> None:
    changed(clip / "config.json", architectures=["CLIPForImageClassification"])
    refused(clip, "architectures.*expected CLIPModel.*CLIPForImageClassification")


def test_a_step_that_no_frame_has_is_named(clip: Path) -> None:
    changed(clip / "preprocessor_config.json", do_pad=True)
    refused(clip, "do_pad")


def test_tensors_that_are_missing_or_surplus_are_named(clip: Path) -> None:
    file = clip / "model.safetensors"
    weights = load_file(file)
    kept = weights.pop("visual_projection.weight")
    save_file({**weights, "another.weight": torch.zeros(3)}, file, {"format": "pt"})
    refused(clip, r"missing visual_projection\.weight, surplus another\.weight")
    save_file({**weights, "visual_projection.weight": kept[:-1]}, file, {"format": "pt"})
    refused(clip, r"visual_projection\.weight of shape \[23, 36\], not \[24, 36\]")
    file.unlink()
    refused(clip, r"model\.safetensors")


def test_a_tokenizer_without_padding_is_refused(clip: Path) -> None:
    tokenizer = fast("clip", 21, pad_token=None)
    tokenizer.save_pretrained(clip)
    refused(clip, "pad_token")


def test_what_lies_nowhere_is_named(clip: Path, tmp_path: Path) -> None:
    (clip / "preprocessor_config.json").unlink()
    refused(clip, "image processor.*preprocessor_config")
    refused(clip, "tokens.*at most 21", tokens=22, processor=transformers.CLIPImageProcessorPil())
    refused(tmp_path / "nowhere", "config.json")


def test_another_answer_than_the_librarys_is_not_written(tmp_path: Path) -> None:
    CASES["vit"][1].make(tmp_path)
    deployment = adapters.from_transformers(tmp_path)
    deployment.heads["image"].module.projection = torch.nn.Linear(36, 36)
    output = tmp_path / "x.plait"
    samples = adapters.samples(deployment)[:2]
    with pytest.raises(ExportError, match="stage fuse:image"):
        export(deployment, output, samples=samples, precisions=("fp32",))
    assert not output.exists()


def test_the_command_writes_nothing_without_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CASES["vit"][1].make(tmp_path)
    for name in ("model.safetensors", "preprocessor_config.json"):
        (tmp_path / name).unlink()
    output = tmp_path / "x.plait"
    assert run(["export", f"hf:{tmp_path}", "-o", str(output)]) == 2
    assert "model.safetensors" in capsys.readouterr().err and not output.exists()
    assert run(["export", "hub:clip", "-o", str(output)]) == 2
    assert "hf:, open_clip:, st:, timm:" in capsys.readouterr().err
    assert run(["export", "script.py", "--random-weights"]) == 2
    assert "--random-weights" in capsys.readouterr().err


def test_every_command_on_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generator: np.random.Generator
) -> None:
    monkeypatch.chdir(tmp_path)
    CASES["vit"][1].make(tmp_path / "clip-vit-base-patch32")
    (tmp_path / "just-a-config").mkdir()
    shutil.copy("clip-vit-base-patch32/config.json", "just-a-config")
    (tmp_path / "photos").mkdir()
    for index in range(3):
        pixels = generator.integers(0, 256, (41 + index, 97, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"photos/{index}.png")
    page = Path(__file__).resolve().parents[2] / "docs" / "models.md"
    commands = re.findall(r"^plait (export hf:.*?)(?: +#.*)?$", page.read_text(), re.MULTILINE)
    assert len(commands) >= 3
    for command in commands:
        Path("clip.plait").unlink(missing_ok=True)
        assert run(command.split()) == 0 and Path("clip.plait").exists(), command


def test_samples_of_a_folder_are_what_the_modalities_take(
    clip: Path, generator: np.random.Generator
) -> None:
    deployment = adapters.from_transformers(clip)
    folder = clip / "samples"
    folder.mkdir()
    with pytest.raises(ConfigError, match="image, text"):
        adapters.samples(deployment, folder)
    pixels = generator.integers(0, 256, (31, 45, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "one.png")
    (folder / "texts.txt").write_text("rain\n\n two words \n")
    found = adapters.samples(deployment, folder)
    assert [sample["text"] for sample in found] == ["rain", "two words"]
    np.testing.assert_array_equal(found[1]["image"], pixels[:, :, ::-1])
    sound = Sound(
        encoder=torch.nn.Identity(), features=Waveform(), window=4000, rate_hz=16000.0,
        max_age_ms=1.0, when_missing="mask", shorter="zeros", longer="refuse",
    )  # fmt: skip
    heard = Deployment(
        name="ear",
        modalities={"sound": sound},
        heads={"same": Embedding(torch.nn.Identity())},
    )
    time = np.arange(9600) / 48000
    tone = np.sin(2 * np.pi * 440 * time)
    soundfile.write(folder / "tone.wav", np.stack([tone, 0 * tone], 1), 48000)
    (listened,) = adapters.samples(heard, folder)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3200) / 16000)
    np.testing.assert_allclose(listened["sound"][99:-99], expected[99:-99], atol=5e-3)


def test_a_model_in_memory_is_adapted_with_its_processors(clip: Path) -> None:
    model = transformers.CLIPModel.from_pretrained(clip)
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip)
    pictures = transformers.CLIPImageProcessorPil.from_pretrained(clip)
    of_memory = adapters.from_transformers(model, [pictures, tokenizer], tokens=9)
    of_folder = adapters.from_transformers(clip, tokens=9)
    for name, modality in of_folder.modalities.items():
        assert of_memory.modalities[name].to_manifest() == modality.to_manifest()
    with pytest.raises(ConfigError, match="tokenizer"):
        adapters.from_transformers(model, pictures)
    with pytest.raises(ConfigError, match="Linear"):
        adapters.from_transformers(torch.nn.Linear(2, 2))
