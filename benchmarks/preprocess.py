"""What preparing raw samples costs, against the libraries that models are trained with.

    python benchmarks/preprocess.py [--json FILE] [--quick]

One part a kind of sample, each a module with rows(rounds, seed) -> list[harness.Row]; they say what
they measure, and check the answers of what they time before timing it.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: its neighbours are found from the project's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import harness, preprocess_frames, preprocess_sound, preprocess_text

PARTS = (preprocess_frames, preprocess_sound, preprocess_text)


def main() -> None:
    """Measures every part, one after the other, and reports all rows."""
    arguments = harness.options(__doc__.splitlines()[0] if __doc__ else "")
    rounds = 10 if arguments.quick else 60
    rows = [row for part in PARTS for row in part.rows(rounds, arguments.seed)]
    harness.report("python benchmarks/preprocess.py", arguments, rows, threads=1, rounds=rounds)


if __name__ == "__main__":
    main()
