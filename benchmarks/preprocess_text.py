"""What tokenizing costs, against the library `tokenizers`.

    python benchmarks/preprocess.py [--json FILE] [--quick]

One short prompt and one long text, byte-level BPE as CLIP's and WordPiece as BERT's, trained here.
One thread; `tokenizers` with its caches and without its parallelism. Ids are compared before
anything is timed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if not __package__:  # run as a file: its neighbours are found from the project's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import plait
from benchmarks import harness
from tests.cases import tokenizers

SHORT = "a photo of a brown dog, running on the beach"
LONG = " ".join(tokenizers.corpus()[:400])


def rows(rounds: int, seed: int) -> list[harness.Row]:
    """Each family's short prompt and long text."""
    measured = []
    for family in ("clip", "bert"):
        reference = tokenizers.FAMILIES[family]()
        ours = plait.Tokenizer(reference.to_str().encode())
        for length, text in (("short prompt", SHORT), ("long text", LONG)):
            expected = reference.encode(text).ids
            if ours.encode(text) != expected:
                raise SystemExit(f"{family}: other ids than tokenizers gives")
            times = harness.interleave(
                {
                    "ours": lambda t=text, o=ours: o.encode(t),
                    "peer": lambda t=text, r=reference: r.encode(t).ids,
                },
                rounds=6 * rounds,
                seed=seed,
            )
            ratio = times["peer"].median / times["ours"].median
            measured.append(
                harness.Row(
                    name=f"{family}, {length} of {len(expected)} tokens",
                    ours_ms=times["ours"].median,
                    peer="tokenizers encode().ids",
                    peer_ms=times["peer"].median,
                    ratio=ratio,
                    note="plait.Tokenizer.encode, one thread, words seen before",
                )
            )
    return measured
