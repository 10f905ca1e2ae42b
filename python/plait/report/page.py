"""Puts the page together: one HTML file that loads nothing from anywhere."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from plait.report.data import Report
from plait.report.sections import (
    accuracy_section,
    confusion_section,
    doctor_section,
    gate_section,
    latency_section,
    origin_section,
    parity_section,
    tiles,
)
from plait.report.style import STYLE


def write_report(report: Report, path: str | os.PathLike[str]) -> Path:
    """Writes the page to `path`, as a whole or not at all.

    Raises ConfigError where matplotlib is missing, OSError where the file can't be written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the rename does not cross file systems.
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        unfinished.write_text(page(report), encoding="utf-8")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def page(report: Report) -> str:
    """The page as text."""
    name = escape(str(report.manifest["name"]))
    fine = report.diagnosis.ok and all(identity.ok for identity in report.identities)
    verdict = "verified on this machine" if fine else "not verified: see below"
    sections = (
        accuracy_section(report),
        latency_section(report),
        confusion_section(report),
        gate_section(report),
        doctor_section(report),
        parity_section(report),
        origin_section(report),
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: Plait report</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header><h1>{name}</h1>
<span class="chip {"good" if fine else "bad"}">{verdict}</span></header>
<p>{escape(str(report.manifest.get("description", "")))}</p>
{tiles(report)}
{"".join(sections)}
<footer>Every number here was measured through the bundle itself, run by Plait
{escape(report.environment.core)}'s core.</footer>
</main>
</body>
</html>
"""
