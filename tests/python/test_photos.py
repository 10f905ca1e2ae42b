"""Real photos, those that scikit-image ships, are prepared as the models' own processors do.

transformers' processors are made from their classes' defaults, so nothing is downloaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage import data

import plait
from plait_export.reference.frame import prepare_frame
from tests.cases.frame_bundle import frame_section
from tests.cases.frames import Array, Load, by_pil, described

COLOUR = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field")
GREY = ("camera", "coins", "page")
FILTERS = ("bilinear", "bicubic", "box", "lanczos", "nearest")
CLIP: dict[str, Any] = {
    "fit": "shortest",
    "size": (224, 224),
    "crop": (224, 224),
    "filter": "bicubic",
    "scale": 1 / 255,
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "layout": "NCHW",
}
VIT: dict[str, Any] = {
    "size": (224, 224),
    "scale": 1 / 255,
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
    "layout": "NCHW",
}


def photo(name: str) -> Array:
    image: Array = getattr(data, name)()
    return np.ascontiguousarray(image)


@pytest.mark.parametrize("name", [*COLOUR, *GREY])
@pytest.mark.parametrize("filter_name", FILTERS)
def test_exact_equals_pil_bit_for_bit(load: Load, name: str, filter_name: str) -> None:
    image = photo(name)
    grey = image.ndim == 2
    said: dict[str, Any] = {"channels": "GRAY", "format": "gray8"} if grey else {}
    for height, width in ((224, 224), (97, 131), (image.shape[0] + 61, image.shape[1] + 33)):
        section = frame_section(size=(height, width), filter=filter_name, **said)
        prepared = load(camera=section).prepare("camera", image)[0]
        expected = by_pil(image, height, width, filter_name)
        np.testing.assert_array_equal(prepared[..., 0] if grey else prepared, expected)


@pytest.mark.parametrize("name", [*COLOUR, *GREY])
@pytest.mark.parametrize("antialias", [True, False])
def test_fast_is_within_one_level_of_the_filter_in_float64(
    load: Load, name: str, antialias: bool
) -> None:
    image = photo(name)
    said: dict[str, Any] = {"channels": "GRAY", "format": "gray8"} if image.ndim == 2 else {}
    sections = {
        each: frame_section(
            size=(224, 199), filter=each, arithmetic="fast", antialias=antialias, **said
        )
        for each in FILTERS
    }
    model = load(**sections)
    for each, section in sections.items():
        expected = prepare_frame(described(section), image)
        assert np.abs(model.prepare(each, image) - expected).max() <= 1.0


@pytest.mark.parametrize("name", COLOUR)
@pytest.mark.parametrize("processor_name", ["clip", "vit"])
def test_exact_gives_what_transformers_processor_gives(
    load: Load, generator: np.random.Generator, name: str, processor_name: str
) -> None:
    module = pytest.importorskip(
        f"transformers.models.{processor_name}.image_processing_pil_{processor_name}"
    )
    class_name = {"clip": "CLIPImageProcessorPil", "vit": "ViTImageProcessorPil"}[processor_name]
    processor = getattr(module, class_name)()
    section = frame_section(**(CLIP if processor_name == "clip" else VIT))
    model = load(camera=section)
    image = photo(name)
    rows, columns = image.shape[:2]
    left, top = (int(generator.integers(0, side // 4)) for side in (columns, rows))
    region = (left, top, columns * 3 // 4, rows * 3 // 4)
    cut = image[top : top + region[3], left : left + region[2]]
    for given, frame in ((image, plait.Frame(image)), (cut, plait.Frame(image, region=region))):
        expected = processor(given, return_tensors="np")["pixel_values"]
        np.testing.assert_allclose(model.prepare("camera", frame), expected, rtol=1e-5, atol=2e-6)
