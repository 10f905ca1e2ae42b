"""Does a bundle answer on this device as where it was made, and if not, since which stage?

For instance:

    from plait import doctor
    diagnosis = doctor.replay("watch.plait")
    if not diagnosis.ok:
        print(diagnosis.first.stage, diagnosis.causes)
"""

from plait.doctor.diagnosis import Diagnosis, StageCheck, StageSummary
from plait.doctor.environment import Environment, environment
from plait.doctor.integrity import Integrity, check_integrity
from plait.doctor.jetson import Finding, Jetson, jetson
from plait.doctor.replay import relative_error, replay

__all__ = [
    "Diagnosis",
    "Environment",
    "Finding",
    "Integrity",
    "Jetson",
    "StageCheck",
    "StageSummary",
    "check_integrity",
    "environment",
    "jetson",
    "relative_error",
    "replay",
]
