"""The report's plots, each a function from the report's data to an inline SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.report.data import Evaluation, Report
from plait.report.svg import ACCENT, BAD, GOOD, INK, LINE, MUTED, SERIES, SURFACE, draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 9.4  # inches; the page scales it to its own width
_ROW = 0.27
_MARKERS = tuple(SERIES[index] for index in (2, 4, 1, 3, 0, 5))  # neighbours far apart


def accuracy_plot(report: Report) -> str:
    """A bar for each presence set and precision."""
    rows = [
        (presence, precision, found)
        for presence in report.presences
        for precision in report.precisions
        if (found := report.evaluation(presence, precision)) is not None
    ]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        places = _grouped(
            [len([row for row in rows if row[0] == presence]) for presence in report.presences]
        )
        for place, (_, precision, found) in zip(places, rows, strict=True):
            shipped = precision == report.default_precision
            axes.barh(place, found.accuracy, height=0.78, color=ACCENT if shipped else MUTED)
            axes.text(
                found.accuracy + 0.008,
                place,
                f"{100 * found.accuracy:.1f} %",
                va="center",
                fontweight="bold" if shipped else "normal",
            )
            axes.text(0.008, place, precision, va="center", color=SURFACE, fontsize=8.5)
        _label_groups(axes, places, [row[0] for row in rows], report)
        axes.set_xlim(0, 1.08)
        axes.set_xticks(np.arange(0, 1.01, 0.2), [f"{s} %" for s in range(0, 101, 20)])
        axes.grid(axis="x")
        axes.spines["bottom"].set_visible(False)

    return draw("accuracy", "Accuracy by presence set", _WIDTH, 0.6 + _ROW * 1.5 * len(rows), paint)


def latency_plot(report: Report) -> str:
    """Stacked medians of the stages, with a mark at the 99th percentile of the whole run.

    The axis follows the medians: on a busy machine the 99th percentile is far out, and told only.
    """
    rows = sorted(report.bench.rows, key=lambda row: report.place_of(row.presence))
    stages = list(
        dict.fromkeys(s for row in rows for s in row.stages if s not in ("total", "call"))
    )

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        places = _grouped([len(list(group)) for group in _runs([row.presence for row in rows])])
        right = 2.2 * max(row.stages["total"].p50_us for row in rows)
        for place, row in zip(places, rows, strict=True):
            begin = 0.0
            for index, stage in enumerate(stages):
                taken = row.stages[stage].p50_us if stage in row.stages else 0.0
                axes.barh(
                    place,
                    taken,
                    left=begin,
                    height=0.72,
                    color=SERIES[index % len(SERIES)],
                    edgecolor=SURFACE,
                    linewidth=0.8,
                    label=stage if place == places[0] else None,
                )
                begin += taken
            total = row.stages["total"]
            end = begin
            if total.p99_us < 0.7 * right:
                end = max(begin, total.p99_us)
                axes.plot([end, end], [place - 0.36, place + 0.36], color=INK, linewidth=1.4)
            text = f"{row.precision}  {total.p50_us:.0f} \u00b5s, p99 {total.p99_us:.0f}"
            axes.text(end + 0.01 * right, place, text, va="center")
        _label_groups(axes, places, [row.presence for row in rows], report)
        axes.set_xlim(0, right)
        axes.set_xlabel("\u00b5s, medians of the stages; a thin mark is p99 of the whole")
        axes.grid(axis="x")
        figure.legend(
            loc="outside upper left", ncols=len(stages), fontsize=9, handlelength=1, columnspacing=1
        )

    return draw("latency", "Latency by stage", _WIDTH, 1.2 + _ROW * 1.5 * len(rows), paint)


def confusion_plot(report: Report, evaluation: Evaluation, name: str) -> str:
    """A cell's colour is its share of its row; its number the windows."""
    labels = [label.replace("_", " ") for label in report.labels]

    def paint(figure: Figure) -> None:
        from matplotlib.patches import Rectangle

        axes = figure.subplots()
        for (row, column), share in np.ndenumerate(evaluation.shares):
            right = row == column
            corner = (column - 0.48, row - 0.48)
            axes.add_patch(Rectangle(corner, 0.96, 0.96, facecolor=LINE, alpha=0.25, linewidth=0))
            axes.add_patch(
                Rectangle(
                    corner,
                    0.96,
                    0.96,
                    facecolor=GOOD if right else BAD,
                    alpha=float(share) ** 0.7,
                    linewidth=0,
                )
            )
            count = int(evaluation.confusion[row, column])
            if count:
                color = SURFACE if share > 0.45 else INK
                axes.text(
                    column, row, str(count), ha="center", va="center", color=color, fontsize=8
                )
        axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", color=INK, fontsize=9)
        axes.set_yticks(range(len(labels)), labels, fontsize=9)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.spines["bottom"].set_visible(False)

    size = 1.25 + 0.3 * len(labels)
    what = f"Confusion matrix with {report.name_of(evaluation.presence)}"
    return draw(name, what, size + 0.3, size, paint)


def gate_plot(report: Report) -> str:
    """By how many points each attempt fell below fp32, in each presence set, beside the limit."""
    attempts = [attempt for attempt in report.export.get("attempts", []) if attempt.get("scores")]
    presences = list(
        dict.fromkeys(tuple(score["presence"]) for a in attempts for score in a["scores"])
    )
    limit = 100 * max_drop_of(report)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        worst = max(100 * score["drop"] for a in attempts for score in a["scores"])
        right = max(1.25 * worst, 2.5 * limit, 0.1)
        axes.axvspan(limit, right, color=BAD, alpha=0.1, linewidth=0)
        axes.axvline(limit, color=BAD, linewidth=1.2)
        for place, attempt in enumerate(attempts):
            passed = attempt["passed"]
            axes.axhline(place, color=LINE, linewidth=0.7, zorder=0)
            for score in attempt["scores"]:
                index = presences.index(tuple(score["presence"]))
                offset = 0.22 * (index - (len(presences) - 1) / 2) / max(1, len(presences) - 1)
                axes.plot(
                    100 * score["drop"],
                    place + offset,
                    marker="o",
                    markersize=7,
                    color=_MARKERS[index % len(_MARKERS)],
                    markeredgecolor=SURFACE,
                )
            kept = len(attempt.get("kept_fp32") or [])
            moved = f", {kept} of {attempt.get('layers', '?')} layers kept in fp32" if kept else ""
            median = attempt.get("median_us")
            speed = f", {median:.0f} \u00b5s" if median is not None else ""
            chosen = ", in the bundle" if attempt["chosen"] else ""
            text = f"{attempt['outcome']}{moved}{speed}{chosen}"
            axes.text(
                1.01,
                place,
                text,
                va="center",
                color=GOOD if passed else BAD,
                fontweight="bold" if attempt["chosen"] else "normal",
                transform=axes.get_yaxis_transform(),
            )
        names = [f"{attempt['precision']}  {attempt['scheme']}" for attempt in attempts]
        axes.set_yticks(range(len(attempts)), names)
        axes.set_ylim(len(attempts) - 0.5, -0.5)
        axes.set_xlim(right=right)
        axes.set_xlabel(f"points lost against fp32; the gate's limit is {limit:g}")
        axes.grid(axis="x")
        for index, presence in enumerate(presences):
            color = _MARKERS[index % len(_MARKERS)]
            axes.plot([], [], "o", color=color, label=report.name_of(presence))
        figure.legend(
            loc="outside upper left",
            ncols=len(presences),
            fontsize=9,
            handletextpad=0.1,
            columnspacing=1,
        )

    return draw("gate", "What the gate tried", _WIDTH, 1.2 + 0.36 * len(attempts), paint)


def doctor_plot(report: Report) -> str:
    """Each stage's worst error as a share of its tolerance, on a logarithmic axis."""
    stages = [s for s in report.diagnosis.stages if s.tolerance > 0]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        shares = [min(max(stage.error / stage.tolerance, 1e-6), 1e6) for stage in stages]
        axes.axvspan(1, 1e7, color=BAD, alpha=0.1, linewidth=0)
        axes.axvline(1, color=BAD, linewidth=1.2)
        for place, (stage, share) in enumerate(zip(stages, shares, strict=True)):
            axes.axhline(place, color=LINE, linewidth=0.7, zorder=0)
            axes.plot(share, place, "o", markersize=7, color=GOOD if stage.ok else BAD)
            text = "same bits" if stage.error == 0 else f"{stage.error:.1e}"
            axes.text(share * 1.6, place, text, va="center", fontsize=9, color=MUTED)
        names = [
            f"{s.stage}{f'  {s.precision}' if s.precision else ''}, {s.against}" for s in stages
        ]
        axes.set_yticks(range(len(stages)), names)
        axes.set_ylim(len(stages) - 0.5, -0.5)
        axes.set_xscale("log")
        axes.set_xlim(5e-7, max(20.0, 4 * max(shares)))
        axes.set_xlabel("error as a share of its tolerance")
        axes.grid(axis="x")

    return draw("doctor", "Golden replay by stage", _WIDTH, 0.8 + _ROW * len(stages), paint)


def max_drop_of(report: Report) -> float:
    """The gate's limit for the report's head."""
    limit = report.manifest.get("gate", {}).get("max_drop", 0.0)
    return float(limit[report.head] if isinstance(limit, dict) else limit)


def _runs(items: list[tuple[str, ...]]) -> list[list[tuple[str, ...]]]:
    """Neighbours that are equal, together."""
    runs: list[list[tuple[str, ...]]] = []
    for item in items:
        if runs and runs[-1][0] == item:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _grouped(sizes: list[int]) -> list[float]:
    """Places on the vertical axis, downwards, with a gap after each group."""
    places: list[float] = []
    at = 0.0
    for size in sizes:
        places += [at + index for index in range(size)]
        at += size + 0.6
    return places


def _label_groups(
    axes: object, places: list[float], presences: list[tuple[str, ...]], report: Report
) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    groups = _runs(presences)
    at = 0
    centres = []
    for group in groups:
        centres.append(float(np.mean(places[at : at + len(group)])))
        at += len(group)
    # One modality a line, so that long names do not squeeze the plot.
    axes.set_yticks(centres, [report.name_of(group[0]).replace(" + ", "\n+ ") for group in groups])
    axes.set_ylim(max(places) + 0.6, min(places) - 0.6)
