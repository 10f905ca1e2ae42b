"""When a run answers, and with what of each modality: windows, pictures, sound, and their ages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import plait
from plait.cli.moments import Moment, expected_count, moments
from plait.cli.tracks import FrameTrack, SignalTrack, SoundTrack, Still, Track
from plait.sources import Source, Timed
from plait.sources.recordings import Recording

NS = 1_000_000_000


class Listed(Source):
    """Samples out of a list."""

    def __init__(self, name: str, timed: Sequence[tuple[float, Any]]) -> None:
        super().__init__(name)
        self.timed = timed
        self.read = 0
        self.released = False

    def _samples(self) -> Iterator[Timed]:
        for seconds, sample in self.timed:
            self.read += 1
            yield Timed(self.name, round(seconds * NS), sample)

    def _release(self) -> None:
        self.released = True


def told(
    tracks: Sequence[Track], step_ns: float | None, max_age_ms: float = 1e9, missing: str = "mask"
) -> Iterator[Moment]:
    modality = {"max_age_ms": max_age_ms, "when_missing": missing}
    return moments(tracks, step_ns, {track.modality: modality for track in tracks})


def cut(recordings: Sequence[Recording], hop: int, **rules: Any) -> list[Moment]:
    tracks = [SignalTrack(recording) for recording in recordings]
    step_ns = hop * recordings[0].period_ns
    found = list(told(tracks, step_ns, **rules))
    assert len(found) == expected_count(tracks, step_ns)
    return found


def steady(name: str, rows: int, window: int, rate_hz: float) -> Recording:
    return Recording(name, np.arange(rows * 3).reshape(rows, 3), None, window, rate_hz)


@pytest.mark.parametrize("hop", [1, 3, 7, 100])
def test_a_steady_recording_is_cut_every_hop_rows(hop: int) -> None:
    recording = steady("a", 101, 7, 50.0)
    windows = cut([recording], hop)
    expected = [recording.values[i : i + 7] for i in range(0, 101 - 7 + 1, hop)]
    assert len(windows) == len(expected)
    for index, (window, rows) in enumerate(zip(windows, expected, strict=True)):
        np.testing.assert_array_equal(window.samples["a"], rows)
        assert window.index == index
        assert window.time_ns == round((index * hop + 6) * 2e7)
        assert window.ages_ms == {"a": 0.0}


def test_recordings_of_other_rates_end_together(generator: np.random.Generator) -> None:
    fast, slow = steady("fast", 997, 101, 125.0), steady("slow", 263, 29, 33.0)
    hop = int(generator.integers(5, 60))
    windows = cut([fast, slow], hop)
    assert len(windows) > 1
    for window in windows:
        for recording in (fast, slow):
            sample = window.samples[recording.modality]
            assert isinstance(sample, np.ndarray)
            assert sample.shape == (recording.window, 3)
            last_row = int(sample[-1, 0]) // 3
            age_ns = window.time_ns - recording.time_ns(last_row)
            assert window.ages_ms[recording.modality] == max(0.0, age_ns / 1e6)
            if last_row < len(recording.values) - 1:
                assert -1 <= age_ns < recording.period_ns


def test_what_has_ended_grows_older_until_it_is_absent() -> None:
    short, long = steady("short", 50, 7, 50.0), steady("long", 100, 7, 50.0)
    windows = cut([short, long], 5, max_age_ms=300.0)
    assert windows[-1].time_ns == round((6 + 5 * 18) * 2e7)
    for window in windows:
        age = (window.time_ns - 49 * 20_000_000) / 1e6
        assert (window.samples["short"] is None) == (age > 300.0)
        assert window.ages_ms["short"] == max(0.0, age)
        assert window.samples["long"] is not None
    # What can't be missing ends the run.
    refused = list(
        told([SignalTrack(short), SignalTrack(long)], 5 * 2e7, max_age_ms=300.0, missing="refuse")
    )
    assert [window.time_ns for window in refused] == [
        window.time_ns for window in windows if window.samples["short"] is not None
    ]


def test_a_jittery_recording_keeps_all_rows_of_its_window(generator: np.random.Generator) -> None:
    stamps = 10**18 + np.cumsum(generator.integers(15_000_000, 25_000_000, size=211))
    recording = Recording("a", np.arange(211 * 3).reshape(211, 3), stamps, 7, 50.0)
    previous = -1
    for window in cut([recording], 5):
        series = window.samples["a"]
        assert isinstance(series, plait.Series)
        times = np.asarray(series.timestamps_ns)
        assert len(times) == len(series.values)
        assert times[-1] <= window.time_ns < times[-1] + 25_000_000
        # The first row lies at or before the window's begin, the second after it.
        begin = times[-1] - 6 * 20_000_000
        assert times[0] <= begin < times[1]
        assert previous < window.time_ns
        previous = window.time_ns


def test_recordings_without_a_common_time_are_refused() -> None:
    stamps = np.arange(50, dtype=np.int64) * 20_000_000 + 10**18
    timed = Recording("timed", np.zeros((50, 3)), stamps, 7, 50.0)
    with pytest.raises(plait.SampleError, match="whole window"):
        cut([timed, steady("steady", 50, 7, 50.0)], 7)
    short = Recording("short", np.zeros((3, 3)), stamps[:3], 7, 50.0)
    with pytest.raises(plait.SampleError, match="whole window"):
        cut([short], 7)


def test_there_is_an_answer_for_each_picture() -> None:
    track = FrameTrack(Listed("eye", [(0.0, "a"), (0.4, "b"), (1.1, "c")]))
    found = list(told([track, Still("prompt", "words")], None))
    assert [(moment.time_ns, moment.samples["eye"]) for moment in found] == [
        (0, "a"), (400_000_000, "b"), (1_100_000_000, "c"),
    ]  # fmt: skip
    assert {moment.samples["prompt"] for moment in found} == {"words"}
    assert found[1].ages_ms == {"eye": 0.0, "prompt": None}


def test_a_live_picture_is_answered_before_the_next_is_waited_for() -> None:
    source = Listed("eye", [(0.0, "a"), (0.4, "b"), (1.1, "c")])
    for number, moment in enumerate(told([FrameTrack(source)], None), start=1):
        assert source.read == number
        assert moment.index == number - 1


def test_the_newest_picture_at_a_moment_is_taken() -> None:
    source = Listed("eye", [(0.1, "a"), (0.4, "b"), (0.45, "c"), (1.1, "d")])
    found = list(told([FrameTrack(source)], 0.25 * NS, max_age_ms=400.0))
    assert [(moment.time_ns / NS, moment.samples["eye"]) for moment in found] == [
        (0.1, "a"), (0.35, "a"), (0.6, "c"), (0.85, "c"), (1.1, "d"),
    ]  # fmt: skip
    assert found[3].ages_ms["eye"] == pytest.approx(400.0)


def chunks(
    generator: np.random.Generator, values: NDArray[Any], rate: float, begin: float = 0.0
) -> list[tuple[float, Any]]:
    """Sound in chunks of random length, each at the time of its end."""
    found, at = [], 0
    while at < len(values):
        end = min(len(values), at + int(generator.integers(1, 90)))
        found.append((begin + end / rate, plait.Sound(values[at:end], rate)))
        at = end
    return found


@pytest.mark.parametrize("whole", [True, False])
def test_a_stretch_of_sound_ends_at_the_moment(generator: np.random.Generator, whole: bool) -> None:
    rate, frames = float(generator.integers(900, 1100)), int(generator.integers(100, 300))
    values = generator.integers(-999, 999, (2000, 2)).astype(np.int16)
    track = SoundTrack(
        Listed("ear", chunks(generator, values, rate)),
        rate_hz=rate, frames=frames, whole=whole, mono=False,
    )  # fmt: skip
    first = track.first_ns
    assert first is not None
    assert (first == round(frames / rate * NS)) if whole else first <= round(90 / rate * NS)
    found = list(told([track], 0.037 * NS))
    assert len(found) == int((2000 / rate - first / NS) / 0.037 + 1e-9) + 1
    for moment in found:
        end = int((moment.time_ns + 0.5) * rate / NS)
        sound = moment.samples["ear"]
        assert sound.sample_rate_hz == rate
        np.testing.assert_array_equal(sound.values, values[max(0, end - frames) : end])
        assert moment.ages_ms["ear"] == pytest.approx(0.0, abs=1e3 / rate)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_channels_become_one_as_their_mean(generator: np.random.Generator, dtype: type) -> None:
    values = generator.integers(-32768, 32768, (500, 6)).astype(np.int16)
    scaled = (values / 32768).astype(np.float32)
    given = values if dtype == np.int16 else scaled
    track = SoundTrack(
        Listed("ear", chunks(generator, given, 1000.0)),
        rate_hz=1000.0, frames=500, whole=True, mono=True,
    )  # fmt: skip
    (moment,) = told([track], NS)
    mixed = moment.samples["ear"].values
    assert mixed.shape == (500, 1)
    np.testing.assert_allclose(mixed[:, 0], scaled.mean(axis=1, dtype=np.float64), atol=1e-6)


def test_a_hole_in_a_sound_track_is_not_bridged(generator: np.random.Generator) -> None:
    before, after = generator.normal(size=(2, 600, 1)).astype(np.float32)
    timed = chunks(generator, before, 1000.0) + chunks(generator, after, 1000.0, begin=2.0)
    track = SoundTrack(Listed("ear", timed), rate_hz=1000.0, frames=200, whole=True, mono=True)
    found = list(told([track], 0.1 * NS, max_age_ms=250.0))
    for moment in found:
        seconds = moment.time_ns / NS
        sound = moment.samples["ear"]
        if seconds < 0.65:
            assert len(sound.values) == 200
        elif 2.0 <= seconds < 2.15:
            assert sound is None  # less than a window since it began anew
        elif seconds > 2.25:
            end = round((seconds - 2.0) * 1000)
            np.testing.assert_array_equal(sound.values, after[end - 200 : end])
    assert found[-1].time_ns == pytest.approx(2.6 * NS)


def test_pictures_and_sound_share_a_clock(generator: np.random.Generator) -> None:
    values = generator.normal(size=(3000, 1)).astype(np.float32)
    eye, ear = Listed("eye", [(i / 25, i) for i in range(60)]), chunks(generator, values, 1000.0)
    track = SoundTrack(Listed("ear", ear), rate_hz=1000.0, frames=400, whole=True, mono=True)
    found = list(told([FrameTrack(eye), track], None))
    assert [moment.samples["eye"] for moment in found] == list(range(10, 60))
    for moment in found:
        end = round(moment.time_ns / NS * 1000)
        np.testing.assert_array_equal(moment.samples["ear"].values, values[end - 400 : end])


def test_a_sound_shorter_than_a_window_gives_no_answer_but_an_error() -> None:
    sound = [(0.05, plait.Sound(np.zeros((50, 1), np.float32), 1000.0))]
    track = SoundTrack(Listed("ear", sound), rate_hz=1000.0, frames=400, whole=True, mono=True)
    with pytest.raises(plait.SampleError, match="whole window"):
        list(told([track], NS))
    with pytest.raises(plait.SampleError, match="none"):
        SoundTrack(Listed("ear", []), rate_hz=1000.0, frames=4, whole=True, mono=True)


def test_stills_alone_give_one_answer() -> None:
    (moment,) = told([Still("eye", 5), Still("prompt", "words")], NS)
    assert (moment.time_ns, moment.samples) == (0, {"eye": 5, "prompt": "words"})
