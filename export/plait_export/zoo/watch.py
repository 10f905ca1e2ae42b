"""A real model from recordings to a request for a bundle: which exercise does a smartwatch see?

Run it with `plait export watch.py -o watch.plait -- --fold 0`. It is also the example to copy: the
steps of `request` are what any model needs, and each of them is one call.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plait_export import (
    Classification,
    Deployment,
    Gate,
    Lineage,
    Progress,
    Request,
    Signal,
    accuracy,
)
from plait_export.zoo.watch_data import (
    DATA_LICENSE,
    DATA_NAME,
    DATA_SHA256,
    EXERCISES,
    RATE_HZ,
    WINDOW,
    Recording,
    Split,
    Windows,
    load_recordings,
    split,
    windows,
)
from plait_export.zoo.watch_net import WatchNet
from plait_export.zoo.watch_train import EPOCHS, THREADS, normalisation, train

__all__ = [
    "Recording",
    "Split",
    "WatchNet",
    "Windows",
    "calibration",
    "deployment",
    "gate",
    "lineage",
    "load_recordings",
    "request",
    "split",
    "train",
    "windows",
]

CALIBRATION_WINDOWS = 256
MAX_AGE_MS = 400
"""Half of the fastest repetition: an older window would show the arm going the other way."""


def request(arguments: Sequence[str] = (), progress: Progress | None = None) -> Request:
    """Loads, splits, trains, describes, and says how the bundle is to be judged.

    progress: told of every epoch; None writes a line to stderr now and then.
    """
    options = _parse(arguments)
    people = split(options.fold, options.folds)
    network = train(people, options.epochs, options.seed, progress or _tell)
    return Request(
        deployment=deployment(network, people),
        samples=calibration(people, seed=options.seed),
        gate=gate(people),
        lineage=lineage(people, epochs=options.epochs, seed=options.seed),
    )


def deployment(network: WatchNet, people: Split) -> Deployment:
    """What the device has to know: each sensor's physical truth, its encoder, and the head."""
    scale = normalisation(people.training)
    return Deployment(
        name="watch",
        description="Which shoulder exercise is done, from a smartwatch's accelerometer and "
        "gyroscope.",
        modalities={
            "accelerometer": Signal(
                encoder=network.accelerometer,
                channels=("x", "y", "z"),
                unit="g",
                rate_hz=RATE_HZ,
                window=WINDOW,
                mean=scale.mean[:3],
                std=scale.std[:3],
                max_age_ms=MAX_AGE_MS,
                when_missing="learned",
            ),
            "gyroscope": Signal(
                encoder=network.gyroscope,
                channels=("x", "y", "z"),
                unit="rad/s",
                rate_hz=RATE_HZ,
                window=WINDOW,
                mean=scale.mean[3:],
                std=scale.std[3:],
                max_age_ms=MAX_AGE_MS,
                when_missing="learned",
            ),
        },
        heads={"exercise": Classification(network.fusion, labels=EXERCISES)},
    )


def calibration(people: Split, seed: int = 0) -> list[dict[str, NDArray[np.float32]]]:
    """Random windows of training people: what they span sets the ranges that INT8 can express."""
    training = windows(people.training)
    chosen = np.random.default_rng(seed).permutation(len(training))[:CALIBRATION_WINDOWS]
    return [training.sample(index) for index in chosen]


def gate(people: Split) -> Gate:
    """INT8 may lose half a point on people the network has never seen, in every presence set.

    The gate compares precisions of one finished network and never picks the network, so what it
    measures is still what the network does for people it has never seen.
    """
    test = windows(people.test)
    held_out = [(test.sample(index), int(test.exercise[index])) for index in range(len(test))]
    return Gate(accuracy, held_out=held_out, max_drop=0.005)


def lineage(people: Split, epochs: int, seed: int) -> Lineage:
    """Where the model comes from; the exporter adds package versions, revision and machine."""
    return Lineage(
        data={"name": DATA_NAME, "license": DATA_LICENSE, "sha256": DATA_SHA256},
        split={
            "fold": people.fold,
            "folds": people.folds,
            "grouped_by": "subject",
            "training_subjects": list(people.training_subjects),
            "test_subjects": list(people.test_subjects),
        },
        script="plait_export/zoo/watch.py",
        packages=("seglearn",),
        training={"epochs": epochs, "seed": seed, "torch_threads": THREADS},
    )


def _tell(stage: str, done: int, total: int) -> None:
    if done % 20 == 0 or done == total:
        print(f"watch: {stage}, epoch {done} of {total}", file=sys.stderr, flush=True)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="watch.py", description=__doc__)
    parser.add_argument("--fold", type=int, default=0, help="which people it is measured on")
    parser.add_argument(
        "--folds", type=int, default=5, help="into how many groups people are dealt"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="10 steps of 128 windows each")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(list(arguments))
