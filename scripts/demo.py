"""`make demo`: one model the whole way, from training to a page that shows what came of it.

Trains (or reuses) the smartwatch model, exports it through the gate, has the doctor replay it, runs
people it has never seen through Python and through the C++ example, compares the two bit for bit,
times everything, and writes build/demo/watch.plait and build/demo/report.html.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

import plait
import plait_export
from plait.bench import measure
from plait.cli.output import progress
from plait.doctor import environment, replay
from plait.report import Evaluation, Identity, Report, write_report
from plait_export import Request, export_request
from plait_export.zoo import watch
from plait_export.zoo.watch_data import DATA_SHA256
from plait_export.zoo.watch_train import EPOCHS

ROOT = Path(__file__).resolve().parent.parent
CPP_APP = ROOT / "build" / "examples" / "cpp_app" / "cpp_app"
ROUNDS = 1000
SEED = 0

Tell = Callable[[str, int, int], None]
Scores = NDArray[np.float32]

console = Console(stderr=True)


@dataclass(frozen=True)
class Case:
    """One way of running the held-out windows, and what the core answered in Python."""

    presence: tuple[str, ...]
    precision: str
    scores: Scores  # [windows, classes]


def main() -> int:
    """Runs every step; 1 where the doctor or the comparison with C++ finds a difference."""
    options = _parse()
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / "watch.plait"
    begin = time.monotonic()
    people = watch.split(options.fold)
    with step("export") as tell:
        exported = make_bundle(people, options, bundle, tell)
    with step("doctor") as tell:
        diagnosis = replay(bundle, progress=tell)
    held_out = watch.windows(people.test)
    with step("Python") as tell:
        cases = run_python(bundle, held_out, tell)
    with step("C++") as tell:
        identities = run_cpp(bundle, held_out, cases, folder, tell)
    with step("bench") as tell:
        timed = measure(
            bundle,
            presences=list(dict.fromkeys(case.presence for case in cases)),
            precisions=list(dict.fromkeys(case.precision for case in cases)),
            rounds=ROUNDS,
            progress=tell,
        )
    manifest = plait.Bundle(bundle).manifest
    head = manifest["heads"][0]
    report = Report(
        manifest=manifest,
        bytes=bundle.stat().st_size,
        head=head["name"],
        evaluations=tuple(
            Evaluation.of(
                case.presence,
                case.precision,
                held_out.exercise,
                case.scores.argmax(axis=1),
                len(head["labels"]),
            )
            for case in cases
        ),
        identities=tuple(identities),
        bench=timed,
        diagnosis=diagnosis,
        environment=environment(),
        export=exported,
    )
    check_quality(report)
    with step("report"):
        page = write_report(report, folder / "report.html")
    print(summary(report))
    print(f"\n{bundle}\n{page}\n{time.monotonic() - begin:.0f} s")
    return 0 if diagnosis.ok and all(identity.ok for identity in identities) else 1


def make_bundle(
    people: watch.Split, options: argparse.Namespace, bundle: Path, tell: Tell
) -> dict[str, Any]:
    """Trains and exports, or reuses what earlier runs left for the same sources and data."""
    cache = bundle.parent / "cache"
    cache.mkdir(exist_ok=True)
    zoo = Path(watch.__file__).parent
    settings = f"{DATA_SHA256} {torch.__version__} {options.fold} {options.epochs} {SEED}"
    trained = cache / f"{_digest(settings, *sorted(zoo.glob('*.py')))}.pt"
    sources = [
        *sorted(Path(plait_export.__file__).parent.rglob("*.py")),
        *sorted(Path(plait.__file__).parent.glob("_core*.so")),
        *sorted(Path(plait.__file__).parent.glob("lib/libplait*")),
    ]
    key = _digest(f"{trained.stem} {plait.version()}", *sources)
    kept, told = cache / f"{key}.plait", cache / f"{key}.json"
    if not (kept.exists() and told.exists()):
        network = load_or_train(people, options, trained, tell)
        request = Request(
            deployment=watch.deployment(network, people),
            samples=watch.calibration(people, seed=SEED),
            gate=watch.gate(people),
            lineage=watch.lineage(people, epochs=options.epochs, seed=SEED),
        )
        exported = export_request(request, kept, progress=tell, script=Path(watch.__file__))
        told.write_text(json.dumps(exported.to_json()))
    shutil.copyfile(kept, bundle)
    report: dict[str, Any] = json.loads(told.read_text())
    return report


def load_or_train(
    people: watch.Split, options: argparse.Namespace, trained: Path, tell: Tell
) -> watch.WatchNet:
    """The network of an earlier run with the same sources, data and options, or a new one."""
    if trained.exists():
        network = watch.WatchNet()
        network.load_state_dict(torch.load(trained, weights_only=True))
        return network.eval()
    network = watch.train(people, options.epochs, SEED, tell)
    unfinished = trained.with_suffix(".part")
    torch.save(network.state_dict(), unfinished)
    unfinished.replace(trained)
    return network


def run_python(bundle: Path, held_out: watch.Windows, tell: Tell) -> list[Case]:
    """Every held-out window in every precision and presence set, through the Python package."""
    manifest = plait.Bundle(bundle).manifest
    modalities = [modality["name"] for modality in manifest["modalities"]]
    head = manifest["heads"][0]["name"]
    presences = list(dict.fromkeys(tuple(row["presence"]) for row in manifest["quality"]))
    precisions = [variant["precision"] for variant in manifest["variants"]]
    total = len(presences) * len(precisions)
    cases = []
    for precision in precisions:
        model = plait.load(bundle, precision=precision)
        for presence in presences:
            scores = []
            for index in range(len(held_out)):
                sample = held_out.sample(index)
                result = model(**{m: sample[m] if m in presence else None for m in modalities})
                scores.append(np.array(result[head].scores))
            cases.append(Case(presence, precision, np.stack(scores)))
            tell("Python", len(cases), total)
    return cases


def run_cpp(
    bundle: Path, held_out: watch.Windows, cases: list[Case], folder: Path, tell: Tell
) -> list[Identity]:
    """The same windows through examples/cpp_app, compared bit for bit."""
    if not CPP_APP.exists():
        raise SystemExit(f"demo: {CPP_APP} is missing. Build it with scripts/build.")
    recordings = folder / "recordings"
    recordings.mkdir(exist_ok=True)
    modalities = [m["name"] for m in plait.Bundle(bundle).manifest["modalities"]]
    for name in modalities:
        windows: NDArray[np.float32] = getattr(held_out, name)
        windows.astype("<f4").tofile(recordings / f"{name}.f32")
    variables = dict(os.environ)
    if (library := plait.find_onnxruntime()) is not None:
        variables["PLAIT_ONNXRUNTIME"] = str(library)
    identities = []
    for case in cases:
        out = recordings / "scores.f32"
        out.unlink(missing_ok=True)
        command = [str(CPP_APP), str(bundle), "--precision", case.precision, "--out", str(out)]
        for name in modalities:
            if name in case.presence:
                command += [f"--{name}", str(recordings / f"{name}.f32")]
            else:
                command += ["--absent", name]
        subprocess.run(command, check=True, env=variables, stdout=subprocess.DEVNULL)
        scores = np.fromfile(out, dtype="<f4").reshape(-1, case.scores.shape[1])
        if scores.shape != case.scores.shape:
            raise SystemExit(f"demo: {len(scores)} answers from C++, {len(case.scores)} in Python")
        # As integers: NaN would differ from itself, and -0 equal 0.
        same = (scores.view(np.int32) == case.scores.view(np.int32)).all(axis=1)
        identities.append(Identity(case.presence, case.precision, len(same), int((~same).sum())))
        tell("C++", len(identities), len(cases))
    return identities


def check_quality(report: Report) -> None:
    """What the bundle claims has to be what these runs found."""
    for row in report.manifest["quality"]:
        if row["head"] != report.head:
            continue
        found = report.evaluation(tuple(row["presence"]), row["precision"])
        if found is None or abs(found.accuracy - row["value"]) > 1e-9:
            measured = "nothing" if found is None else f"{found.accuracy:.4f}"
            raise SystemExit(
                f"demo: the bundle claims {row['value']:.4f} in {row['precision']} with "
                f"{' + '.join(row['presence'])}, and {measured} was measured"
            )


def summary(report: Report) -> str:
    """A few lines for the terminal."""
    shipped = report.default_precision
    lines = [f"{report.manifest['name']} ships {shipped}; on unseen people it is right in"]
    for presence in report.presences:
        shares = ", ".join(
            f"{100 * found.accuracy:5.1f} % ({precision})"
            for precision in report.precisions
            if (found := report.evaluation(presence, precision)) is not None
        )
        lines.append(f"  {shares} with {report.name_of(presence)}")
    for row in report.bench.rows:
        if row.precision == shipped:
            total = row.stages["total"]
            lines.append(
                f"  {total.p50_us:5.0f} us (p99 {total.p99_us:.0f}) with "
                f"{report.name_of(row.presence)}"
            )
    first = report.diagnosis.first
    verdict = "every stage is right" if first is None else f"{first.stage} diverges"
    lines.append(f"doctor: {verdict}, {len(report.diagnosis.checks)} comparisons")
    differing = sum(identity.differing for identity in report.identities)
    compared = sum(identity.samples for identity in report.identities)
    lines.append(f"Python and C++: {compared - differing} of {compared} answers bit-identical")
    return "\n".join(lines)


@contextmanager
def step(name: str) -> Iterator[Tell]:
    """One step of the demo: a progress bar while it lasts, its time when it is done."""
    begin = time.monotonic()
    with progress() as tell:
        yield tell
    console.print(f"[green]done[/] {name} [dim]{time.monotonic() - begin:.1f} s[/]")


def _digest(text: str, *files: Path) -> str:
    """A name for what was made from these files with these settings."""
    digest = hashlib.sha256(text.encode())
    for file in files:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo.py", description=__doc__)
    parser.add_argument("--fold", type=int, default=0, help="which people it is measured on")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="fewer: a quick look")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "demo")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
