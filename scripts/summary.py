"""summary.py: one table of what a test run did: passed, failed and skipped, and why skipped."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass
class Suite:
    """Counts of one suite."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def read_report(path: Path, reasons: Counter[str]) -> Suite:
    """Counts a JUnit report (pytest's or GoogleTest's) and gathers why tests were skipped."""
    suite = Suite(path.stem)
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            suite.failed += 1
        elif skip is not None:
            suite.skipped += 1
            reasons[(skip.get("message") or "no reason given").splitlines()[0]] += 1
        else:
            suite.passed += 1
    return suite


def read_steps(path: Path) -> list[Suite]:
    """Steps that are one test each: a linter, a fuzz target."""
    if not path.exists():
        return []
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [Suite(name, int(good), int(bad), int(left)) for name, good, bad, left in rows]


def main() -> int:
    """Prints the table; the exit status is 0 where something ran and nothing failed."""
    reports = Path(sys.argv[1])
    reasons: Counter[str] = Counter()
    suites = [read_report(path, reasons) for path in sorted(reports.glob("*.xml"))]
    suites += read_steps(reports / "steps.tsv")
    print("\n== summary")
    for suite in suites:
        counts = f"{suite.passed:6} passed {suite.failed:4} failed {suite.skipped:4} skipped"
        print(f"{suite.name:40} {counts}")
    for reason, count in reasons.most_common():
        print(f"skipped here, {count} times: {reason}")
    passed = sum(suite.passed for suite in suites)
    failed = sum(suite.failed for suite in suites)
    skipped = sum(suite.skipped for suite in suites)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
