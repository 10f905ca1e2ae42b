"""timm: what a picture shows, or its embedding, by a model's name and a file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from plait import ConfigError
from plait_export.describe import Classification, Deployment, Embedding, Head
from plait_export.describe.readers import frame_from_transform
from plait_export.zoo.adapters.library import picture_of
from plait_export.zoo.adapters.loading import bundle_name, require
from plait_export.zoo.adapters.parts import Projected, labels_of
from plait_export.zoo.adapters.weights import fill, read_weights, seeded

_PICTURE_AGE_MS = 1000.0


class Features(nn.Module):
    """All of a model but its classifier: pooled features [batch, width]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, sample: Tensor) -> Tensor:
        model: Any = self.model
        return cast(Tensor, model.forward_head(model.forward_features(sample), pre_logits=True))


def from_timm(
    model_name: str,
    weights: str | Path | None,
    *,
    name: str | None = None,
    labels: Mapping[int, str] | None = None,
) -> Deployment:
    """What a device needs to answer as a model of timm does.

    weights: a state dict, .safetensors or what torch.save wrote; None: drawn with a fixed seed. As
        many classes as its classifier has; with none, the answer is the pooled features.
    labels: of the classes; None: ImageNet's where there are a thousand, else their numbers.

    Raises ConfigError for a name that timm does not have, a tensor that is missing, left over or of
    another shape, and a preparation that a Frame does not have.
    """
    timm = require("timm", f"timm:{model_name}", extra="timm")
    stored = None if weights is None else read_weights(weights)
    model = _create(timm, model_name, stored)
    if stored is not None:
        fill(model, stored, str(weights))
    config = timm.data.resolve_data_config({}, model=model)
    transform = timm.data.create_transform(**config)
    classes = int(model.num_classes)
    head = Projected(model.get_classifier() if classes else None, normalized=False)
    heads: dict[str, Head] = {"image": Embedding(head)}
    if classes:
        said = labels_of(labels or _labels(timm, model, classes), classes)
        heads = {"label": Classification(head, labels=said)}
    (answer,) = heads

    def original(sample: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        import torch

        prepared = transform(picture_of(sample["image"]))[None]
        with torch.inference_mode():
            output = model(prepared)
        return {"prepare:image": prepared.numpy(), f"fuse:{answer}": np.asarray(output)}

    return Deployment(
        name=name or bundle_name(model_name),
        description=f"{model_name} of timm.",
        modalities={
            "image": frame_from_transform(
                transform,
                encoder=Features(model),
                max_age_ms=_PICTURE_AGE_MS,
                when_missing="mask",
            )
        },
        heads=heads,
        original=original,
    )


def _create(timm: Any, name: str, stored: Mapping[str, Tensor] | None) -> Any:
    """The model with as many classes as the file's classifier has."""
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name.split('_', maxsplit=1)[0]}*")[:5])
        raise ConfigError(
            where=f"timm:{name}",
            expected="a model of timm" + (f", for instance {near}" if near else ""),
            got=repr(name),
            action="timm.list_models() lists them all.",
        )
    said = {}
    classifier = timm.models.get_pretrained_cfg_value(name, "classifier")
    if stored is not None and isinstance(classifier, str):  # some have two
        said = {"num_classes": len(stored.get(f"{classifier}.weight", ()))}
    with seeded():
        return timm.create_model(name, pretrained=False, **said).eval()


def _labels(timm: Any, model: Any, count: int) -> dict[int, str]:
    subset = timm.data.infer_imagenet_subset(model)
    if subset is None:
        return {index: f"class {index}" for index in range(count)}
    names = timm.data.ImageNetInfo(subset)
    return {i: names.index_to_description(i).split(",")[0] for i in range(count)}
