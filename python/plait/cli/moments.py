"""When a run answers, and with what: tracks of several modalities on one clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait import SampleError
from plait.cli.tracks import FrameTrack, Still, Track


@dataclass(frozen=True)
class Moment:
    """One answer's samples. samples: None where a modality's is too old. ages_ms: None where a
    sample does not age."""

    index: int
    time_ns: int
    samples: Mapping[str, Any]
    ages_ms: Mapping[str, float | None]


def moments(
    tracks: Sequence[Track], step_ns: float | None, modalities: Mapping[str, Mapping[str, Any]]
) -> Iterator[Moment]:
    """Answers from the first time at which every track has a whole sample.

    step_ns: from one answer to the next; None: one at each picture of the first FrameTrack. A track
    that ended grows older; past the modality's max_age_ms its sample is None. The end is where
    every track has ended, or one whose modality can't be missing has become too old. Tracks that
    don't age alone give one answer, at time 0. Raises SampleError where tracks have no time in
    common.
    """
    timed = [track for track in tracks if not isinstance(track, Still)]
    if not timed:
        yield _moment(0, 0, tracks, modalities)
        return
    for index, time_ns in enumerate(_times(timed, step_ns)):
        moment = _moment(index, time_ns, tracks, modalities)
        ended = all(track.last_ns is not None and track.last_ns < time_ns for track in timed)
        refused = [
            name
            for name, sample in moment.samples.items()
            if sample is None and modalities[name]["when_missing"] == "refuse"
        ]
        if (ended or refused) and index == 0:
            raise _nothing_in_common(timed, time_ns)
        if ended or refused:
            return
        yield moment


def start_ns(timed: Sequence[Track]) -> int:
    """The first time at which every track has a whole sample. Raises SampleError for none."""
    start = max(track.first_ns or 0 for track in timed)
    ends = [track.last_ns for track in timed if track.last_ns is not None]
    if ends and start > min(ends):
        raise _nothing_in_common(timed, start)
    return start


def expected_count(tracks: Sequence[Track], step_ns: float | None) -> int:
    """About how many answers there will be; 0 where that can't be known."""
    timed = [track for track in tracks if not isinstance(track, Still)]
    if not timed:
        return 1
    if step_ns is None:
        return 0
    ends = [t.last_ns if t.last_ns is not None else getattr(t, "duration_ns", None) for t in timed]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return 0
    return max(0, int((max(known) - start_ns(timed)) // step_ns) + 1)


def _times(timed: Sequence[Track], step_ns: float | None) -> Iterator[int]:
    start = start_ns(timed)
    if step_ns is not None:
        index = 0
        while True:
            yield start + round(index * step_ns)
            index += 1
    leader = next(track for track in timed if isinstance(track, FrameTrack))
    while (time_ns := leader.next_ns()) is not None:
        if time_ns < start:
            leader.at(time_ns)  # nothing to answer from yet
        else:
            yield time_ns


def _moment(
    index: int,
    time_ns: int,
    tracks: Sequence[Track],
    modalities: Mapping[str, Mapping[str, Any]],
) -> Moment:
    samples: dict[str, Any] = {}
    ages: dict[str, float | None] = {}
    for track in tracks:
        taken = track.at(time_ns)
        age = None if taken.time_ns is None else max(0.0, (time_ns - taken.time_ns) / 1e6)
        too_old = age is not None and age > modalities[track.modality]["max_age_ms"]
        samples[track.modality] = None if too_old else taken.sample
        ages[track.modality] = age
    return Moment(index, time_ns, samples, ages)


def _nothing_in_common(timed: Sequence[Track], start: int) -> SampleError:
    ends = [track.last_ns for track in timed if track.last_ns is not None]
    end = f"{min(ends) / 1e9:.3f} s" if ends else "an unknown time"
    return SampleError(
        where=f"recordings of {', '.join(track.modality for track in timed)}",
        expected="a time at which each has a whole window behind it",
        got=f"windows from {start / 1e9:.3f} s on, and a recording that ends at {end}",
        action="Give recordings of the same stretch of time, each at least a window long.",
    )
