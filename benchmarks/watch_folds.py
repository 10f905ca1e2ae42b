"""How well does the watch bundle do on people it has never seen, as the device would answer?

For every fold the network is trained, exported through the gate, and the bundle is then run by the
core on every window of the fold's test people: in each precision, with each set of sensors present.
Nothing here comes from PyTorch but the weights.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:  # run as a file: its neighbours are found from the project's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import plait
from benchmarks.harness import machine
from plait_export import export_request
from plait_export.zoo import watch
from plait_export.zoo.watch_train import THREADS

TARGETS = {
    ("accelerometer", "gyroscope"): 0.90,
    ("accelerometer",): 0.85,
    ("gyroscope",): 0.78,
}
"""What the mean over the folds has to reach, by the sensors that are present."""
QUICK_EPOCHS = 4


@dataclass(frozen=True)
class Row:
    """One precision and presence set of one fold's bundle."""

    fold: int
    test_subjects: tuple[int, ...]
    windows: int
    presence: tuple[str, ...]
    precision: str
    scheme: str
    accuracy: float


@dataclass(frozen=True)
class Fold:
    """What one fold gave, and what it cost."""

    fold: int
    rows: list[Row]
    train_s: float
    export_s: float
    bundle_bytes: int
    default_precision: str
    warnings: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the folds and writes what was asked for; returns the exit code."""
    options = parse(arguments)
    folds = [run_fold(fold, options) for fold in options.folds]
    rows = [row for fold in folds for row in fold.rows]
    table = markdown(rows)
    print(table)
    if options.markdown:
        options.markdown.write_text(table, encoding="utf-8")
    if options.json:
        report = describe(options, folds, rows)
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def run_fold(fold: int, options: argparse.Namespace) -> Fold:
    """Trains, exports and measures one fold; the bundle is gone afterwards."""
    begin = time.perf_counter()
    arguments = ["--fold", str(fold), "--seed", str(options.seed)]
    if options.epochs:
        arguments += ["--epochs", str(options.epochs)]
    request = watch.request(arguments)
    trained = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = export_request(request, Path(folder) / "watch.plait")
        exported = time.perf_counter()
        rows = measure(report.path, fold)
    done = Fold(
        fold=fold,
        rows=rows,
        train_s=round(trained - begin, 1),
        export_s=round(exported - trained, 1),
        bundle_bytes=report.bytes,
        default_precision=report.default_precision,
        warnings=report.warnings,
    )
    print(
        f"fold {fold}: trained in {done.train_s} s, exported in {done.export_s} s, "
        f"{done.bundle_bytes / 1024:.0f} KiB, default {done.default_precision}",
        file=sys.stderr,
    )
    return done


def measure(bundle: str, fold: int) -> list[Row]:
    """Runs every window of the fold's test people through the core, as an app would."""
    people = watch.split(fold)
    test = watch.windows(people.test)
    rows = []
    for variant in plait.Bundle(bundle).manifest["variants"]:
        model = plait.load(bundle, precision=variant["precision"], threads=1)
        for presence in presence_sets(model.modalities):
            answers = [
                model(
                    **{
                        name: window if name in presence else None
                        for name, window in test.sample(index).items()
                    }
                )["exercise"].best
                for index in range(len(test))
            ]
            rows.append(
                Row(
                    fold=fold,
                    test_subjects=people.test_subjects,
                    windows=len(test),
                    presence=presence,
                    precision=variant["precision"],
                    scheme=variant["scheme"],
                    accuracy=float(np.mean(np.array(answers) == test.exercise)),
                )
            )
    return rows


def presence_sets(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every set but the empty one, largest first."""
    return [
        chosen
        for count in range(len(modalities), 0, -1)
        for chosen in itertools.combinations(modalities, count)
    ]


def means(rows: Sequence[Row]) -> dict[tuple[tuple[str, ...], str], float]:
    """The mean accuracy over folds by presence set and precision, every fold weighing the same."""
    keys = dict.fromkeys((row.presence, row.precision) for row in rows)
    return {
        key: float(np.mean([row.accuracy for row in rows if (row.presence, row.precision) == key]))
        for key in keys
    }


def markdown(rows: Sequence[Row]) -> str:
    """A table with a line a fold and their mean; accuracies in percent."""
    mean = means(rows)
    columns = sorted(mean, key=lambda key: (-len(key[0]), key[0]))
    titles = [f"{' + '.join(presence)}, {precision}" for presence, precision in columns]
    lines = [
        "| fold | test subjects | windows | " + " | ".join(titles) + " |",
        "|---|---|---:|" + "---:|" * len(columns),
    ]
    for fold in dict.fromkeys(row.fold for row in rows):
        own = {(row.presence, row.precision): row for row in rows if row.fold == fold}
        first = next(iter(own.values()))
        # A precision that the gate refused in this fold has no number here.
        cells = [f"{100 * own[key].accuracy:.1f}" if key in own else "-" for key in columns]
        subjects = ", ".join(map(str, first.test_subjects))
        lines.append(f"| {fold} | {subjects} | {first.windows} | " + " | ".join(cells) + " |")
    cells = [f"**{100 * mean[key]:.1f}**" for key in columns]
    lines.append("| **mean** | | | " + " | ".join(cells) + " |")
    targets = [f"{100 * TARGETS[presence]:.0f}" for presence, _ in columns]
    lines.append("| target | | | " + " | ".join(targets) + " |")
    return "\n".join(lines) + "\n"


def describe(
    options: argparse.Namespace, folds: Sequence[Fold], rows: Sequence[Row]
) -> dict[str, Any]:
    """Everything that was measured, and on what."""
    counts = Counter((row.presence, row.precision) for row in rows)
    return {
        "command": "benchmarks/watch_folds.py",
        "quick": options.quick,
        "seed": options.seed,
        "torch_threads": THREADS,
        "machine": machine(),
        "folds": [asdict(fold) for fold in folds],
        "mean": [
            {
                "presence": list(presence),
                "precision": precision,
                "accuracy": accuracy,
                "target": TARGETS[presence],
                "folds": counts[presence, precision],
            }
            for (presence, precision), accuracy in means(rows).items()
        ],
    }


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write all numbers there")
    parser.add_argument("--markdown", type=Path, help="write the table there")
    parser.add_argument("--quick", action="store_true", help="one fold, hardly trained: a check")
    parser.add_argument("--folds", default="0,1,2,3,4", help="which of the five, such as 0,2")
    parser.add_argument("--epochs", type=int, help="instead of the model's own number")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.folds = [int(fold) for fold in options.folds.split(",")]
    if options.quick:
        options.folds = options.folds[:1]
        options.epochs = options.epochs or QUICK_EPOCHS
    return options


if __name__ == "__main__":
    sys.exit(main())
