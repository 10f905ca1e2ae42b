"""The report: one page that loads nothing, says what was found, and draws in the page's colours."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

import plait
from plait.bench import measure
from plait.doctor import environment, replay
from plait.report import Evaluation, Identity, Report, write_report
from tests.cases.tiny_bundle import LABELS

VOID = {"meta", "br", "path", "use", "rect", "circle", "line"}


@pytest.fixture(scope="module")
def report(tiny_bundle: Path) -> Report:
    generator = np.random.default_rng(11)
    manifest = plait.Bundle(tiny_bundle).manifest
    presences = [("accelerometer", "gyroscope", "ecg"), ("accelerometer",), ("ecg",)]
    truth = generator.integers(5, size=201)
    evaluations = []
    for presence in presences:
        for precision in ("fp32", "int8"):
            guess = np.where(generator.random(201) < 0.8, truth, generator.integers(5, size=201))
            evaluations.append(Evaluation.of(presence, precision, truth, guess, 5))
    return Report(
        manifest=manifest,
        bytes=tiny_bundle.stat().st_size,
        head="exercise",
        evaluations=tuple(evaluations),
        identities=tuple(Identity(e.presence, e.precision, 201, 0) for e in evaluations),
        bench=measure(
            tiny_bundle, presences=presences, precisions=("fp32", "int8"), rounds=5, warm_up=0
        ),
        diagnosis=replay(tiny_bundle),
        environment=environment(),
        export={
            "attempts": manifest["gate"]["attempts"],
            "parity": [{"graph": "ecg_encoder", "presence": ["ecg"], "max_relative_error": 2.5e-7}],
        },
    )


class Page(HTMLParser):
    """Ids, references, tags left open, and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id" and value is not None:
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "action") and value is not None:
                self.references.append(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def written(report: Report, folder: Path) -> tuple[str, Page]:
    path = write_report(report, folder / "report.html")
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def test_the_page_is_whole_and_loads_nothing(report: Report, tmp_path: Path) -> None:
    text, page = written(report, tmp_path)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    for reference in (*page.references, *re.findall(r"url\(([^)]+)\)", text)):
        assert reference.startswith("#")
        assert reference[1:] in page.ids
    assert "http" not in text
    assert "@import" not in text
    assert "<script" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_plots_take_every_colour_from_the_page(report: Report, tmp_path: Path) -> None:
    text, _ = written(report, tmp_path)
    plots = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(plots) == 4 + len(report.presences)
    for plot in plots:
        assert set(re.findall(r"#[0-9a-f]{6}\b", plot)) == set()
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", text))
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    for variable in used - {"--font"}:
        assert f"{variable}:" in light
        assert f"{variable}:" in dark


def test_the_page_says_what_was_found(report: Report, tmp_path: Path) -> None:
    _, page = written(report, tmp_path)
    words = " ".join(page.words)
    for evaluation in report.evaluations:
        assert f"{100 * evaluation.accuracy:.1f} %" in words
    for said in ("verified on this machine", "identical", "all right", "random waves", "2.5e-07"):
        assert said in words
    for attempt in report.export["attempts"]:
        assert f"{attempt['precision']}  {attempt['scheme']}" in words
    for stage in report.diagnosis.stages:
        assert stage.stage in words
    for label in LABELS:
        assert label in words


def test_a_page_about_something_wrong_says_so(report: Report, tmp_path: Path) -> None:
    first = report.identities[0]
    differing = replace(report, identities=(replace(first, differing=1), *report.identities[1:]))
    _, page = written(differing, tmp_path)
    assert "not verified: see below" in page.words
    assert "DIFFERENT" in page.words
    checks = report.diagnosis.checks
    wrong = replace(
        report.diagnosis,
        checks=tuple(replace(c, error=1.0) if c.stage == "encode:ecg" else c for c in checks),
        causes=("A weight was swapped.",),
    )
    _, page = written(replace(report, diagnosis=wrong), tmp_path)
    assert "not verified: see below" in page.words
    assert "First stage that diverges: encode:ecg. A weight was swapped." in page.words


def test_a_report_without_a_gate_is_written(report: Report, tmp_path: Path) -> None:
    _, page = written(replace(report, export={"attempts": [], "parity": []}), tmp_path)
    assert "This bundle was exported without a gate." in page.words


def test_text_from_a_bundle_is_no_markup(report: Report, tmp_path: Path) -> None:
    manifest: dict[str, Any] = {
        **report.manifest,
        "description": "<b>&amp;</b>",
        "lineage": {"data": {"name": "<script>x</script>"}},
    }
    text, page = written(replace(report, manifest=manifest), tmp_path)
    assert "<script" not in text
    assert "<b>&amp;</b>" in page.words


def test_confusion_and_accuracy_are_scikit_learns(generator: np.random.Generator) -> None:
    truth = generator.integers(6, size=313)
    answers = generator.integers(7, size=313)
    evaluation = Evaluation.of(("a",), "fp32", truth, answers, 7)
    expected = confusion_matrix(truth, answers, labels=range(7))
    np.testing.assert_array_equal(evaluation.confusion, expected)
    assert evaluation.accuracy == pytest.approx(float(np.mean(truth == answers)))
    np.testing.assert_allclose(evaluation.shares[:6].sum(axis=1), 1.0)
    assert (evaluation.shares[6] == 0).all()
