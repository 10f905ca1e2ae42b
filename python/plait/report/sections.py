"""The sections of the page, each a function from the report's data to HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from plait.report.data import Evaluation, Report
from plait.report.plots import (
    accuracy_plot,
    confusion_plot,
    doctor_plot,
    gate_plot,
    latency_plot,
    max_drop_of,
)


def tiles(report: Report) -> str:
    """The page in five numbers."""
    shipped = report.default_precision
    best = _all_present(report, shipped)
    row = next(
        r for r in report.bench.rows if r.precision == shipped and r.presence == best.presence
    )
    total = row.stages["total"]
    compared = sum(identity.samples for identity in report.identities)
    same = all(identity.ok for identity in report.identities)
    first = report.diagnosis.first
    shown = [
        (
            "Accuracy",
            f"{100 * best.accuracy:.1f} %",
            f"{best.samples} held-out windows, {shipped}",
        ),
        ("Latency", f"{total.p50_us:.0f} \u00b5s", f"a whole run; p99 {total.p99_us:.0f} \u00b5s"),
        ("Bundle", _bytes(report.bytes), _variant_sizes(report)),
        (
            "Python = C++",
            "identical" if same else "DIFFERENT",
            f"{compared} answers, compared bit for bit",
        ),
        (
            "Doctor",
            "all right" if report.diagnosis.ok else first.stage if first else "unchecked",
            f"{len(report.diagnosis.checks)} comparisons with golden data",
        ),
    ]
    cells = "".join(
        f'<div class="tile"><span>{name}</span><b>{escape(value)}</b>'
        f"<span>{escape(note)}</span></div>"
        for name, value, note in shown
    )
    return f'<div class="tiles">{cells}</div>'


def accuracy_section(report: Report) -> str:
    """Accuracy by presence set and precision."""
    shipped = report.default_precision
    best = _all_present(report, shipped)
    costs = [
        f"without {report.name_of([m for m in best.presence if m not in presence])} it is "
        f"{100 * (best.accuracy - found.accuracy):.1f} points less"
        for presence in report.presences
        if presence != best.presence and (found := report.evaluation(presence, shipped))
    ]
    told = "; ".join(costs).capitalize()
    lead = (
        f"{told}. A sensor that fails is declared absent: its encoder does not run, and the answer "
        "says what quality to expect."
        if told
        else ""
    )
    rows = [
        [
            report.name_of(e.presence),
            e.precision,
            f"{100 * e.accuracy:.2f} %",
            str(e.samples),
        ]
        for e in report.evaluations
    ]
    table = _table(["present", "precision", "accuracy", "windows"], rows, numbers=(2, 3))
    return _section(
        "How often it is right", lead, accuracy_plot(report) + _details("Numbers", table)
    )


def latency_section(report: Report) -> str:
    """Latency by stage, presence set and precision."""
    bench = report.bench
    lead = (
        f"Medians of {bench.rounds} rounds after {bench.warm_up} to warm up, all rows interleaved "
        f"in one process on {bench.environment.cpu or bench.environment.architecture}; "
        f"{bench.loads[0].backend}."
    )
    rows = [
        [
            report.name_of(row.presence),
            row.precision,
            stage,
            *(f"{value:.1f}" for value in (s.p50_us, s.p90_us, s.p99_us, s.p999_us, s.maximum_us)),
        ]
        for row in bench.rows
        for stage, s in row.stages.items()
    ]
    columns = ["present", "precision", "stage", "p50", "p90", "p99", "p99.9", "max"]
    table = _table(columns, rows, numbers=range(3, 8))
    firsts = [
        [
            report.name_of(row.presence),
            row.precision,
            f"{row.first_call_us:.0f}",
            f"{row.throughput_hz:.0f}",
        ]
        for row in bench.rows
    ]
    calls = _table(
        ["present", "precision", "first call, \u00b5s", "answers a second"], firsts, numbers=(2, 3)
    )
    loads = "".join(
        f"<p class='muted'>{escape(load.precision)} loads in {load.load_ms:.1f} ms.</p>"
        for load in bench.loads
    )
    return _section(
        "How long it takes",
        lead,
        latency_plot(report)
        + _details("Percentiles by stage, in microseconds", table)
        + _details("First call, throughput, load", calls + loads),
    )


def confusion_section(report: Report) -> str:
    """A confusion matrix for each presence set, in the precision that ships."""
    plots = []
    for number, presence in enumerate(report.presences):
        found = report.evaluation(presence, report.default_precision)
        if found is not None:
            plots.append(
                f"<div><h3>{escape(report.name_of(presence))}</h3>"
                f"{confusion_plot(report, found, f'confusion{number}')}</div>"
            )
    lead = f"Rows: what was done. Columns: what was answered. Windows, {report.default_precision}."
    return _section("What it mixes up", lead, f'<div class="plots">{"".join(plots)}</div>')


def gate_section(report: Report) -> str:
    """What the exporter tried to make the bundle smaller and faster, and what it let through."""
    attempts = report.export.get("attempts", [])
    if not attempts:
        return _section("What the gate did", "This bundle was exported without a gate.", "")
    tried = [attempt for attempt in attempts if attempt["precision"] != "fp32"]
    refused = sum(not attempt["passed"] for attempt in tried)
    lead = (
        f"{len(tried)} variants were tried, {refused} of them refused. A variant may lose "
        f"{100 * max_drop_of(report):g} points against fp32, in every presence set; of those that "
        "pass, the fastest on this device ships."
    )
    kept = [
        [attempt["scheme"], layer["graph"], layer["layer"], layer["why"]]
        for attempt in attempts
        for layer in attempt.get("kept_fp32") or []
    ]
    notes = [[a["scheme"], a["note"]] for a in attempts if a.get("note")]
    body = gate_plot(report) if any(attempt.get("scores") for attempt in attempts) else ""
    if kept:
        table = _table(["scheme", "graph", "layer", "why"], kept)
        body += _details("Layers moved back to fp32, and why", table)
    if notes:
        body += _details("Notes", _table(["scheme", "note"], notes))
    return _section("What the gate did", lead, body)


def doctor_section(report: Report) -> str:
    """The golden replay."""
    diagnosis = report.diagnosis
    first = diagnosis.first
    if first is None:
        lead = (
            f"{len(diagnosis.checks)} comparisons with golden data: every stage answers as where "
            "the bundle was made."
        )
    else:
        lead = f"First stage that diverges: {first.stage}. {' '.join(diagnosis.causes)}"
    rows = [
        [
            s.stage,
            s.precision or "",
            s.against,
            str(s.cases),
            f"{s.error:.2g}",
            f"{s.tolerance:.2g}",
            "ok" if s.ok else "diverged",
        ]
        for s in diagnosis.stages
    ]
    columns = ["stage", "precision", "against", "cases", "error", "tolerance", ""]
    table = _table(columns, rows, numbers=(3, 4, 5))
    return _section("What the doctor says", lead, doctor_plot(report) + _details("Numbers", table))


def parity_section(report: Report) -> str:
    """PyTorch against the graphs, Python against C++."""
    rows = [
        [
            report.name_of(identity.presence),
            identity.precision,
            str(identity.samples),
            str(identity.differing),
        ]
        for identity in report.identities
    ]
    table = _table(["present", "precision", "answers", "differing"], rows, numbers=(2, 3))
    parity = [
        [row["graph"], report.name_of(row["presence"]), f"{row['max_relative_error']:.1e}"]
        for row in report.export.get("parity", [])
    ]
    graphs = _table(["graph", "present", "largest relative error"], parity, numbers=(2,))
    body = (
        f'<div class="columns"><div><h3>Python against the C++ program</h3>{table}</div>'
        f"<div><h3>PyTorch against the exported graphs</h3>{graphs}</div></div>"
    )
    lead = (
        "The same held-out windows through the Python package and through a C++ program built "
        "against the installed library; and every graph against the modules it came from."
    )
    return _section("The same everywhere", lead, body)


def origin_section(report: Report) -> str:
    """Lineage and this machine."""
    around = report.environment
    machine = {
        "board": around.board,
        "cpu": around.cpu or around.architecture,
        "cpus": f"{around.cpus_usable} usable of {around.cpus_present}",
        "instructions": " ".join(around.cpu_features),
        "governor": around.governor,
        "system": around.system,
        "Plait": around.core,
        "ONNX Runtime": around.onnxruntime,
        "Python": f"{around.python}, NumPy {around.numpy}",
    }
    lineage = dict(report.manifest.get("lineage", {}))
    body = (
        f'<div class="columns"><div><h3>Where it comes from</h3>{_definitions(lineage)}</div>'
        f"<div><h3>What it ran on</h3>{_definitions(machine)}</div></div>"
    )
    return _section("Origin", "", body)


def _all_present(report: Report, precision: str) -> Evaluation:
    """The evaluation with the most modalities."""
    return max(
        (e for e in report.evaluations if e.precision == precision), key=lambda e: len(e.presence)
    )


def _variant_sizes(report: Report) -> str:
    members = report.manifest["members"]
    sizes = {
        variant["precision"]: sum(members[m]["bytes"] for m in set(variant["members"].values()))
        for variant in report.manifest["variants"]
    }
    return "graphs: " + ", ".join(f"{name} {_bytes(size)}" for name, size in sizes.items())


def _bytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _section(title: str, lead: str, body: str) -> str:
    told = f"<p>{escape(lead)}</p>" if lead else ""
    return f"<section><h2>{escape(title)}</h2>{told}{body}</section>\n"


def _details(summary: str, body: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()
) -> str:
    right = set(numbers)

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if index in right else ''}>{escape(value)}</{tag}>"
            for index, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{cells("th", columns)}</tr>{body}</table></div>'


def _definitions(values: Mapping[str, Any]) -> str:
    """Whatever lineage holds, one entry a key."""
    items = "".join(
        f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{_plain(value)}</dd>"
        for key, value in values.items()
        if value not in (None, "", {}, [])
    )
    return f"<dl>{items}</dl>"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(
            f"<span class=muted>{escape(str(key).replace('_', ' '))}</span> {_plain(of)}"
            for key, of in value.items()
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return escape(", ".join(str(item) for item in value))
    return escape(str(value))
