"""Descriptions read from image processors, transforms and open_clip, run beside the originals on
photos; and what no description represents is refused by its field."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from skimage import data
from torch import nn

from plait import ConfigError
from plait_export import ExportError, Frame, check_preparation
from plait_export.describe.readers import (
    frame_from_open_clip,
    frame_from_transform,
    frame_from_transformers,
)
from tests.cases import torchvision_like as like

SAID: dict[str, Any] = {
    "encoder": nn.Flatten(),
    "max_age_ms": 100.0,
    "when_missing": "mask",
}


@pytest.fixture(scope="module")
def photos() -> list[Any]:
    """Real photos, upright and wide; cut so that their sides are odd; and one small."""
    rng = np.random.default_rng(secrets.randbits(32))
    found = [data.chelsea(), data.coffee(), data.rocket(), data.astronaut()]
    cut = [photo[: photo.shape[0] - int(rng.integers(0, 99)) | 1] for photo in found]
    upright = np.ascontiguousarray(cut[0].transpose(1, 0, 2))
    return [Image.fromarray(photo) for photo in [*cut, upright, cut[1][:171, :97]]]


class RowsFirst:
    """A PIL-backed processor whose resize filters along the rows first, as every Pillow before 13
    does for all shapes."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, image: Any) -> Any:
        resize = Image.Image.resize

        def rows_first(self: Any, size: Any, resample: Any = None, **options: Any) -> Any:
            narrowed = resize(self, (size[0], self.size[1]), resample)
            return resize(narrowed, size, resample)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Image.Image, "resize", rows_first)
            return self.processor(image, return_tensors="np")


PROCESSORS: list[tuple[str, dict[str, Any]]] = [
    ("CLIP", {}),
    ("CLIP", {"size": {"shortest_edge": 231}, "crop_size": {"height": 224, "width": 200}}),
    ("CLIP", {"do_center_crop": False, "size": {"height": 97, "width": 133}, "resample": 2}),
    ("CLIP", {"do_normalize": False, "resample": 1}),
    ("ViT", {}),
    ("ViT", {"do_rescale": False, "resample": 0}),
    ("ViT", {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}),
    ("Siglip", {}),
    ("DeiT", {}),
    ("Beit", {}),
    ("Blip", {}),
    ("Bit", {"size": {"shortest_edge": 256}}),
    ("Levit", {}),
    ("ConvNext", {}),
    ("ConvNext", {"size": {"shortest_edge": 224}}),
    ("ConvNext", {"size": {"shortest_edge": 288}, "crop_pct": 0.95}),
    ("EfficientNet", {}),
    ("EfficientNet", {"rescale_offset": True, "rescale_factor": 1 / 127.5, "include_top": False}),
    ("EfficientNet", {"do_center_crop": True, "do_normalize": False, "resample": 4}),
]


@pytest.mark.parametrize(("name", "settings"), PROCESSORS)
def test_an_image_processor_is_read_exactly(
    photos: list[Any], tmp_path: Path, name: str, settings: dict[str, Any]
) -> None:
    processor = getattr(transformers, f"{name}ImageProcessorPil")(**settings)
    frame = frame_from_transformers(processor, **SAID)
    report = check_preparation(frame, RowsFirst(processor), photos)
    assert report.max_error < 1e-3, report
    report.require()
    fast = frame_from_transformers(processor, arithmetic="fast", **SAID)
    report = check_preparation(fast, RowsFirst(processor), photos)
    # The original rounds to levels after each pass, and clips there what overshoots.
    assert report.mean_error < 0.5, report
    assert report.max_error <= 1.5 or frame.filter in ("bicubic", "lanczos"), report
    processor.save_pretrained(tmp_path)
    assert frame_from_transformers(tmp_path, **SAID) == frame
    # What the file leaves out is as the class has it.
    stated = json.loads((tmp_path / "preprocessor_config.json").read_text())
    kept = {key: value for key, value in stated.items() if key in settings}
    kept["image_processor_type"] = stated["image_processor_type"]
    (tmp_path / "short.json").write_text(json.dumps(kept))
    assert frame_from_transformers(tmp_path / "short.json", **SAID) == frame


def test_an_old_configuration_is_read_as_it_was_meant(tmp_path: Path) -> None:
    old = {
        "crop_size": 224,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": 224,
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(old))
    read = frame_from_transformers(tmp_path, format="nv12", matrix="bt709", range="full", **SAID)
    assert (read.fit, read.resized, read.size, read.filter) == (
        "shortest", (224, 224), (224, 224), "bicubic",
    )  # fmt: skip
    assert (read.format, read.matrix, read.range, read.arithmetic) == (
        "nv12", "bt709", "full", "exact",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"image_processor_type": "DonutImageProcessor"}, "image_processor_type"),
        ({"do_resize": False}, "do_resize"),
        ({"do_pad": True}, "do_pad"),
        ({"resample": 5}, "resample"),
        ({"size": {"shortest_edge": 224, "longest_edge": 800}}, "size"),
        ({"size": {"max_height": 9, "max_width": 9}}, "size"),
        ({"do_center_crop": False}, "size"),
        ({"crop_size": {"height": 300, "width": 300}}, "crop_size"),
        ({"size": {"shortest_edge": "large"}}, "size"),
        ({"image_mean": [0.5, 0.5]}, "image_mean"),
        ({"rescale_factor": "1/255"}, "rescale_factor"),
        ({"patch_size": 14}, "patch_size"),
    ],
)
def test_a_processor_that_no_frame_represents_is_refused(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    config = {"image_processor_type": "CLIPImageProcessor", **fields}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError) as caught:
        frame_from_transformers(tmp_path, **SAID)
    assert caught.value.where.endswith(f", {said}")
    assert caught.value.action


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "none", 5):
        with pytest.raises(ConfigError):
            frame_from_transformers(wrong, **SAID)
    (tmp_path / "preprocessor_config.json").write_text("[1")
    with pytest.raises(ConfigError, match=r"preprocessor_config\.json"):
        frame_from_transformers(tmp_path, **SAID)


def test_reading_a_folder_imports_neither_torch_nor_transformers() -> None:
    program = (
        "import sys, plait_export.describe.readers; "
        "print([m for m in ('torch', 'transformers', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout == "[]\n"


NORMALIZE = like.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
FLOAT = [like.PILToTensor(), like.ConvertImageDtype(torch.float32)]


@pytest.mark.parametrize(
    "make",
    [
        lambda mode: [like.Resize(256, mode), like.CenterCrop(224), like.ToTensor(), NORMALIZE],
        lambda mode: [like.Resize([223], mode), like.CenterCrop((160, 223)), *FLOAT, NORMALIZE],
        lambda mode: [like.Resize((101, 77), mode), like.ToTensor()],
        lambda mode: [like.Resize((101, 77), mode), like.CenterCrop((50, 77)), like.ToTensor()],
        lambda mode: [
            like.Compose([like.Resize((64, 64), mode)]), like.ToTensor(),
            like.Normalize([0.1], [2.0]) if mode is None else NORMALIZE,
        ],
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["NEAREST", "BILINEAR", "BICUBIC", "BOX", "LANCZOS"])
def test_a_compose_is_read_exactly(
    photos: list[Any], make: Callable[[like.InterpolationMode], list[Any]], mode: str
) -> None:
    compose = like.Compose(make(like.InterpolationMode[mode]))
    frame = frame_from_transform(compose, **SAID)
    if mode == "NEAREST":
        # Two passes of the stand-in would choose other pixels than one.
        photos = [photo.crop((0, 0, 90, 90)).resize((90, 90)) for photo in photos]
        compose.transforms = [
            step if not isinstance(step, like.Resize) else _Nearest(step) for step in _flat(compose)
        ]
    check_preparation(frame, compose, photos).require()


def _flat(compose: Any) -> list[Any]:
    return [
        inner
        for step in compose.transforms
        for inner in (_flat(step) if isinstance(step, like.Compose) else [step])
    ]


class _Nearest:
    def __init__(self, step: like.Resize) -> None:
        self.step = step

    def __call__(self, image: Image.Image) -> Image.Image:
        size = self.step(image).size
        return image.resize(size, Image.Resampling.NEAREST)


def test_a_preset_of_weights_is_read_exactly(photos: list[Any]) -> None:
    preset = like.ImageClassification(crop_size=224, resize_size=232)
    check_preparation(frame_from_transform(preset, **SAID), preset, photos).require()


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([like.RandomHorizontalFlip(), like.ToTensor()], "RandomHorizontalFlip"),
        ([like.Resize(64), like.CenterCrop(64), lambda image: image], "<lambda>"),
        ([like.Resize(64), like.ToTensor()], "Resize.size"),
        ([like.Resize((64, 64), max_size=80), like.ToTensor()], "Resize.max_size"),
        ([like.Resize((64, 64), like.InterpolationMode.HAMMING), like.ToTensor()], "interpolation"),
        ([like.ToTensor(), like.Resize((64, 64))], "Resize"),
        ([like.CenterCrop(64), like.Resize((64, 64)), like.ToTensor()], "Resize"),
        ([like.Resize(64), like.CenterCrop(80), like.ToTensor()], "CenterCrop.size"),
        ([like.CenterCrop(80), like.ToTensor()], "Resize"),
        ([like.Resize((64, 64))], "ToTensor"),
        ([like.Resize((64, 64)), like.PILToTensor()], "ToTensor"),
        ([like.Resize((64, 64)), like.PILToTensor(), NORMALIZE], "Normalize"),
        ([like.Resize((64, 64)), like.Resize((32, 32)), like.ToTensor()], "Resize"),
        ([like.Resize((64, 64)), like.ToTensor(), like.Normalize((1, 2), (1, 1))], "mean"),
    ],
)
def test_a_transform_that_no_frame_represents_is_refused(steps: list[Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        frame_from_transform(like.Compose(steps), **SAID)
    assert caught.value.where.endswith(said)
    assert caught.value.action


def open_clip_transform(config: dict[str, Any]) -> Callable[[Image.Image], torch.Tensor]:
    """What open_clip's image_transform does at evaluation, from its documentation."""
    size, mode = config["size"], config.get("resize_mode", "shortest")
    method = like.InterpolationMode[config.get("interpolation", "bicubic").upper()]
    normalize = like.Normalize(
        config.get("mean", (0.48145466, 0.4578275, 0.40821073)),
        config.get("std", (0.26862954, 0.26130258, 0.27577711)),
    )
    if mode == "shortest":
        return like.Compose(
            [like.Resize(size, method), like.CenterCrop(size), like.ToTensor(), normalize]
        )
    height, width = (size, size) if isinstance(size, int) else size
    if mode == "squash":
        return like.Compose([like.Resize((height, width), method), like.ToTensor(), normalize])

    def longest(image: Image.Image) -> Any:
        ratio = max(image.height / height, image.width / width)
        inner = like.Resize((round(image.height / ratio), round(image.width / ratio)), method)
        fill = config.get("fill_color", 0)
        canvas = Image.new("RGB", (width, height), (fill,) * 3)
        resized = inner(image)
        canvas.paste(resized, ((width - resized.width) // 2, (height - resized.height) // 2))
        return like.Compose([like.ToTensor(), normalize])(canvas)

    return longest


@pytest.mark.parametrize(
    "config",
    [
        {"size": 224},
        {"size": 256, "interpolation": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3},
        {"size": [191, 256], "resize_mode": "squash"},
        {"size": 240, "resize_mode": "longest", "fill_color": 127},
        {"size": [120, 241], "resize_mode": "longest", "interpolation": "bilinear"},
    ],
)
def test_an_open_clip_configuration_is_read_exactly(
    photos: list[Any], tmp_path: Path, config: dict[str, Any]
) -> None:
    frame = frame_from_open_clip(config, **SAID)
    check_preparation(frame, open_clip_transform(config), photos).require()
    rest = {key: value for key, value in config.items() if key != "size"}
    saved = {"model_cfg": {"vision_cfg": {"image_size": config["size"]}}, "preprocess_cfg": rest}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(saved))
    assert frame_from_open_clip(tmp_path, **SAID) == frame
    assert frame_from_open_clip(saved, **SAID) == frame


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"interpolation": "random"}, "interpolation"),
        ({"mode": "L"}, "mode"),
        ({"size": [224, 336]}, "size"),
        ({"resize_mode": "crop"}, "resize_mode"),
        ({"resize_mode": "longest", "fill_color": [1, 2, 3]}, "fill_color"),
        ({"patch_dropout": 0.5}, "patch_dropout"),
        ({"std": [0.5]}, "std"),
    ],
)
def test_a_configuration_that_no_frame_represents_is_refused(
    config: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        frame_from_open_clip(config, **SAID)
    assert caught.value.where.endswith(f", {said}")


def test_what_encoders_of_other_types_get_is_checked_too(photos: list[Any]) -> None:
    compose = like.Compose([like.Resize((64, 48)), like.ToTensor(), NORMALIZE])
    half = Frame(**{**vars(frame_from_transform(compose, **SAID)), "dtype": "float16"})
    # A half has 11 bits: 2.6 is off by at most 2 ** -10, or 0.06 levels.
    assert 1e-3 < check_preparation(half, compose, photos).max_error < 0.07
    levels = Frame(size=(64, 48), scale=1.0, dtype="uint8", arithmetic="exact", **SAID)
    original = like.Compose([like.Resize((64, 48)), like.PILToTensor()])
    assert check_preparation(levels, original, photos).max_error == 0.0


def test_a_wrong_description_is_found_and_named(photos: list[Any]) -> None:
    compose = like.Compose([like.Resize((64, 48)), like.ToTensor(), NORMALIZE])
    right = frame_from_transform(compose, **SAID)
    wrong: dict[str, Any] = {"channels": "BGR", "filter": "bicubic", "mean": (0.4, 0.456, 0.406)}
    for field, value in wrong.items():
        settings = {**vars(right), field: value}
        report = check_preparation(Frame(**settings), compose, photos)
        assert not report.ok
        assert report.unit == "grey levels"
        assert len(report.position) == 3
        with pytest.raises(ExportError, match=f"sample {report.sample}"):
            report.require()
    # A mean that is off by 0.085 of 1 is off by 21.7 of 255 levels.
    report = check_preparation(
        Frame(**{**vars(right), "mean": (0.4, 0.456, 0.406)}), compose, photos
    )
    assert report.max_error == pytest.approx(0.085 * 255, abs=1e-2)
    with pytest.raises(ConfigError, match="shape"):
        check_preparation(right, lambda image: np.zeros((3, 9, 9)), photos)
    with pytest.raises(ConfigError, match="at least one sample"):
        check_preparation(right, compose, [])


def test_the_page_reads_a_folder_and_checks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    (snippet,) = re.findall(r"```python\n(from plait_export import check_pre.*?)```", page, re.S)
    monkeypatch.chdir(tmp_path)
    processor = transformers.CLIPImageProcessorPil()
    processor.save_pretrained("clip")
    names: dict[str, Any] = {
        "network": types.SimpleNamespace(vision=nn.Flatten()),
        "processor": RowsFirst(processor),
        "photos": [data.chelsea(), data.coffee()],
    }
    exec(compile(snippet, "docs/export.md", "exec"), names)  # the page's own words
    assert names["image"].format == "nv12"
