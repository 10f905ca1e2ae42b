"""One page about a bundle: how well it does, how fast, what the gate did, and that it is right.

Drawing it needs matplotlib (the extra plait[zoo]); the page itself is one file that loads nothing.
"""

from plait.report.data import Evaluation, Identity, Report
from plait.report.page import write_report

__all__ = ["Evaluation", "Identity", "Report", "write_report"]
