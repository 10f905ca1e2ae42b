"""A camera-LiDAR bird's-eye view as one bundle, with random weights: `plait export bev.py -o
bev.plait`. It shows how such a model is described, and what fused operators are worth in it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from plait_export import Deployment, Embedding, Frame, Lineage, Points, Request, agreement
from plait_export.zoo.bev_geometry import CAMERAS, Scale, lidar_to_vehicle, sweep
from plait_export.zoo.bev_net import BevNet

CLASSES = 10
"""nuScenes' kinds of objects."""
EXAMPLES = 4


def request(arguments: Sequence[str] = ()) -> Request:
    """Nothing is trained, so there is nothing to judge INT8 by: FP32, portable and fused.

    --agree: judges by what the random weights answer in float32, as graphs for engines need it.
    """
    parser = argparse.ArgumentParser(prog="bev.py", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--agree", action="store_true")
    options = parser.parse_args(list(arguments))
    seed = options.seed
    described = deployment(Scale(), seed)
    others = examples(Scale(), seed + 1, count=2) if options.agree else []
    return Request(
        described,
        samples=examples(Scale(), seed),
        gate=agreement(described, others) if options.agree else None,
        precisions=("fp32",),
        lineage=Lineage(
            data={"name": "random scenes and weights", "license": "none"},
            script="plait_export/zoo/bev.py",
            training={"seed": seed},
        ),
    )


def deployment(scale: Scale, seed: int = 0) -> Deployment:
    """Six cameras and a LiDAR, any of which may be missing; a heat map of ten classes."""
    torch.manual_seed(seed)
    network = BevNet(scale, CLASSES)
    cameras = {
        name: Frame(
            encoder=network.camera,
            size=scale.image,
            format="bgr8",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            max_age_ms=150.0,
            when_missing="mask",
        )
        for name in CAMERAS
    }
    lidar = Points(
        encoder=network.lidar,
        channels=("x", "y", "z", "intensity"),
        sensor_channels=("x", "y", "z", "intensity", "ring"),
        extrinsics=lidar_to_vehicle().tolist(),
        range=(tuple(network.lidar.lower), tuple(network.lidar.upper)),
        capacity=scale.points,
        overflow="spread",
        std=(1.0, 1.0, 1.0, 255.0),
        max_age_ms=150.0,
        when_missing="mask",
    )
    return Deployment(
        name="bev",
        description="Six cameras and a LiDAR on one plane. Random weights: what it answers means "
        "nothing, how fast it does is that of a trained one.",
        modalities={**cameras, "lidar": lidar},
        heads={"objects": Embedding(network.fuser)},
    )


def examples(scale: Scale, seed: int = 0, count: int = EXAMPLES) -> list[dict[str, Any]]:
    """Random scenes: pictures of coloured noise in coarse patches, and a LiDAR's turn."""
    generator = np.random.default_rng(seed)
    return [example(scale, generator) for _ in range(count)]


def example(scale: Scale, generator: np.random.Generator) -> dict[str, Any]:
    """One scene. Pictures are twice as large as the encoder's input."""
    height, width = scale.image
    scene: dict[str, Any] = {}
    for name in CAMERAS:
        patches = generator.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        scene[name] = patches.repeat(16, axis=0).repeat(16, axis=1)
    scene["lidar"] = sweep(generator, turns=scale.points // 24)
    return scene
