"""Stand-ins for torchvision's transforms on Pillow images, after its documentation: the same names
and attributes, computed with Pillow and torch. torchvision does not install beside every torch."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
import torch
from PIL import Image


class InterpolationMode(Enum):
    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


class Compose:
    def __init__(self, transforms: Sequence[Any]) -> None:
        self.transforms = transforms

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image


class Resize:
    """An int (or one side): the smaller edge is matched to it, the other is int(size * long / short)."""  # noqa: E501

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        max_size: int | None = None,
    ) -> None:
        self.size = size
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = True

    def __call__(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        sides = [self.size] if isinstance(self.size, int) else list(self.size)
        if len(sides) == 2:
            wanted = (sides[1], sides[0])
        elif width <= height:
            wanted = (sides[0], int(sides[0] * height / width))
        else:
            wanted = (int(sides[0] * width / height), sides[0])
        method = Image.Resampling[self.interpolation.name]
        # Rows first, as every Pillow before 13 does in one call.
        return image.resize((wanted[0], height), method).resize(wanted, method)


class CenterCrop:
    """Crops begin at int(round((length - size) / 2.0))."""

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = (size, size) if isinstance(size, int) else tuple(size)

    def __call__(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        top = round((image.height - height) / 2.0)
        left = round((image.width - width) / 2.0)
        return image.crop((left, top, left + width, top + height))


class ToTensor:
    def __call__(self, image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255


class PILToTensor:
    def __call__(self, image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


class ConvertImageDtype:
    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return image.to(self.dtype) / 255


class Normalize:
    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = mean
        self.std = std

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (tensor - mean) / std


class RandomHorizontalFlip:
    p = 0.5


class ImageClassification:
    """The preset of torchvision's weights."""

    def __init__(self, crop_size: int, resize_size: int) -> None:
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean = [0.485, 0.456, 0.406]
        self.std = [0.229, 0.224, 0.225]
        self.interpolation = InterpolationMode.BILINEAR
        self.antialias = True

    def __call__(self, image: Image.Image) -> torch.Tensor:
        steps = [
            Resize(self.resize_size, self.interpolation),
            CenterCrop(self.crop_size * 2),
            PILToTensor(),
            ConvertImageDtype(torch.float32),
            Normalize(self.mean, self.std),
        ]
        tensor: torch.Tensor = Compose(steps)(image)
        return tensor
