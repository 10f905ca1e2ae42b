"""State dicts in files of their own, put into a model tensor by tensor or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from plait import ConfigError
from plait_export.zoo.adapters.loading import check_weights


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name out of .safetensors, or out of what torch.save wrote; no code is run.

    A state dict may lie under "state_dict" or "model", as trainers save it, and names may begin
    with "module.". Raises ConfigError.
    """
    try:
        if Path(path).suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ConfigError(
            where=str(path),
            expected="weights: .safetensors, or a state dict that torch.save wrote",
            got=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            action="Save model.state_dict() there.",
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(stored, Mapping) and isinstance(stored.get(key), Mapping):
            stored = stored[key]
    if not isinstance(stored, Mapping) or not all(isinstance(v, Tensor) for v in stored.values()):
        raise ConfigError(
            where=str(path),
            expected="a state dict: tensors by name",
            got=type(stored).__name__,
            action="Save model.state_dict() there.",
        )
    return {str(name).removeprefix("module."): tensor for name, tensor in stored.items()}


def fill(model: nn.Module, stored: Mapping[str, Tensor], where: str) -> None:
    """Every tensor of the model, and no other. Raises ConfigError naming those that differ."""
    own = model.state_dict()
    both = own.keys() & stored.keys()
    found = {
        "missing_keys": own.keys() - stored.keys(),
        "unexpected_keys": stored.keys() - own.keys(),
        "mismatched_keys": [
            (name, stored[name].shape, own[name].shape)
            for name in both
            if stored[name].shape != own[name].shape
        ],
    }
    check_weights(Path(where), type(model).__name__, found)
    model.load_state_dict(dict(stored))


@contextmanager
def seeded() -> Iterator[None]:
    """Weights drawn inside are the same each time; random numbers outside are not touched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
