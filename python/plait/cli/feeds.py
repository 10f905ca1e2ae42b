"""Tracks out of what the command line names: --sample, --camera, --video, --wav, ..."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from plait import ConfigError, SampleError, Sound
from plait.cli.tracks import FrameTrack, SignalTrack, SoundTrack, Still, Track
from plait.frame import YUV_FORMATS
from plait.sources import (
    Camera,
    Clouds,
    Pictures,
    SoundFile,
    Video,
    VideoSound,
    has_sound,
    read_cloud,
)
from plait.sources.pictures import read_picture
from plait.sources.recordings import read_recording

Modality = Mapping[str, Any]


@dataclass(frozen=True)
class Given:
    """What the options of a command name, as they stand there."""

    sample: Sequence[str] = ()
    camera: Sequence[str] = ()
    video: Sequence[str] = ()
    wav: Sequence[str] = ()
    image: Sequence[str] = ()
    text: Sequence[str] = ()
    points: Sequence[str] = ()
    absent: Sequence[str] = ()
    every_s: float | None = None


# Opens a source: modality, value of the option, the manifest's section, all options.
Make = Callable[[str, str, Modality, Given], Track]


@dataclass
class Feeds:
    """The tracks that were named, in the order of --sample and then of the other options."""

    modalities: Mapping[str, Modality]
    absent: Sequence[str] = ()
    tracks: list[Track] = field(default_factory=list)

    @property
    def given(self) -> list[str]:
        """Names of the modalities that have a track."""
        return [track.modality for track in self.tracks]

    def add(self, option: str, name: str, make: Make, value: str, given: Given) -> None:
        """Adds one modality's track. Raises ConfigError for an unknown or repeated name."""
        check_modality(option, name, self.modalities)
        if name in self.given:
            raise ConfigError(
                where=option,
                expected="each modality once",
                got=f"{name} twice",
                action="Drop one.",
            )
        modality = self.modalities[name]
        self.tracks.append(make(name, value, modality[modality["kind"]], given))

    def open(self, kind: str) -> list[str]:
        """Modalities of a kind that nothing was said of yet."""
        said = (*self.given, *self.absent)
        return [n for n, m in self.modalities.items() if m["kind"] == kind and n not in said]

    def close(self) -> None:
        """Releases all files and devices."""
        for track in self.tracks:
            track.close()


def open_feeds(manifest: Mapping[str, Any], given: Given) -> Feeds:
    """Opens everything that was named; closes it again where something fails.

    Raises ConfigError for a name or form that makes no sense, SampleError for a file or device that
    can't be read or does not fit.
    """
    feeds = Feeds({m["name"]: m for m in manifest["modalities"]}, given.absent)
    try:
        for name in given.absent:
            check_modality("--absent", name, feeds.modalities)
        for text in given.sample:
            name, file = _named(text)
            check_modality("--sample", name, feeds.modalities)
            feeds.add("--sample", name, _SAMPLES[feeds.modalities[name]["kind"]], file, given)
        for option, texts, kind, make in (
            ("--camera", given.camera, "frame", _camera),
            ("--video", given.video, "frame", _video),
            ("--image", given.image, "frame", _pictures),
            ("--wav", given.wav, "sound", _sound_file),
            ("--text", given.text, "text", _words),
            ("--points", given.points, "points", _clouds),
        ):
            for text in texts:
                name, value = _of_kind(feeds, option, text, kind)
                feeds.add(option, name, make, value, given)
                if option == "--video" and not given.wav:
                    _add_sound_track(feeds, value, given)
        _check_clocks(feeds, given)
    except BaseException:
        feeds.close()
        raise
    return feeds


def _add_sound_track(feeds: Feeds, file: str, given: Given) -> None:
    """A video's sound goes to the one sound modality that nothing was said of."""
    silent = feeds.open("sound")
    if len(silent) == 1 and has_sound(file):
        feeds.add("--video", silent[0], _sound_track, file, given)


def check_modality(option: str, name: str, known: Mapping[str, Any]) -> None:
    """Raises ConfigError for a modality that the bundle does not have."""
    if name not in known:
        raise ConfigError(
            where=option,
            expected=f"one of {', '.join(known)}",
            got=name,
            action="`plait inspect BUNDLE` shows a bundle's modalities.",
        )


def _named(text: str) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    if not equals or not name or not file:
        raise ConfigError(
            where="--sample",
            expected="NAME=FILE",
            got=repr(text),
            action="Write for instance accelerometer=acc.csv.",
        )
    return name, file


def _of_kind(feeds: Feeds, option: str, text: str, kind: str) -> tuple[str, str]:
    """NAME=VALUE, or VALUE of the one modality of a kind that nothing was said of yet."""
    all_of_kind = [n for n, m in feeds.modalities.items() if m["kind"] == kind]
    name, equals, value = text.partition("=")
    if equals and (name in feeds.modalities or (name.isidentifier() and not Path(text).exists())):
        if name not in all_of_kind:
            raise ConfigError(
                where=option,
                expected=f"a modality of kind {kind}: {', '.join(all_of_kind) or 'it has none'}",
                got=name,
                action="`plait inspect BUNDLE` shows a bundle's modalities.",
            )
        return name, value
    candidates = feeds.open(kind)
    if len(candidates) != 1:
        example = (candidates or all_of_kind or ["NAME"])[0]
        raise ConfigError(
            where=option,
            expected=f"one modality of kind {kind} that is not named yet",
            got=", ".join(candidates) or "none",
            action=f"Name it, for instance {option} {example}={text}.",
        )
    return candidates[0], text


def _camera(name: str, device: str, frame: Modality, given: Given) -> Track:
    begin_ns = time.monotonic_ns()
    return FrameTrack(Camera(device, name, clock=lambda: time.monotonic_ns() - begin_ns))


def _video(name: str, file: str, frame: Modality, given: Given) -> Track:
    video = Video(file, name)
    for what, said in (("matrix", video.matrix), ("range", video.range)):
        declared = frame["sensor"].get(what)
        if video.format in YUV_FORMATS and said is not None and said != declared:
            video.close()
            raise SampleError(
                where=f"{file}, modality {name}",
                expected=f"colours of {what} {declared}, as the bundle declares",
                got=f"{said}, as the file says",
                action="Export with the video's, or convert the video.",
            )
    return FrameTrack(video, video.duration_ns)


def _pictures(name: str, file: str, frame: Modality, given: Given) -> Track:
    if not Path(file).is_dir():
        return _picture(name, file, frame, given)
    array_format, period_s = frame["sensor"]["format"], given.every_s or 1.0
    folder = Pictures(file, name, period_s=period_s, array_format=array_format)
    return FrameTrack(folder, folder.duration_ns)


def _picture(name: str, file: str, frame: Modality, given: Given) -> Track:
    return Still(name, read_picture(Path(file), frame["sensor"]["format"]))


def _clouds(name: str, file: str, points: Modality, given: Given) -> Track:
    if not Path(file).is_dir():
        return _cloud(name, file, points, given)
    folder = Clouds(file, points["sensor"]["channels"], name, period_s=given.every_s or 1.0)
    return FrameTrack(folder, folder.duration_ns)


def _cloud(name: str, file: str, points: Modality, given: Given) -> Track:
    return Still(name, read_cloud(file, points["sensor"]["channels"]))


def _signal(name: str, file: str, signal: Modality, given: Given) -> Track:
    return SignalTrack(read_recording(Path(file), name, signal))


def _sound_file(name: str, file: str, sound: Modality, given: Given) -> Track:
    if not file.lower().endswith(".npy"):
        return _sound(SoundFile(file, name), sound)
    try:
        return Still(name, Sound(np.load(file, allow_pickle=False)))
    except (OSError, ValueError, EOFError) as error:
        raise SampleError(
            where=f"{file}, modality {name}",
            expected="a .npy of sound, [frames] or [frames, channels]",
            got=str(error),
            action="Save it with numpy.save, or as a .wav.",
        ) from error


def _sound_track(name: str, file: str, sound: Modality, given: Given) -> Track:
    return _sound(VideoSound(file, name), sound)


def _sound(source: SoundFile | VideoSound, sound: Modality) -> Track:
    """Stretches as long as the bundle's window; one channel is the mean of all of a file's."""
    declared = sound["sensor"]["channels"]
    if declared not in (1, source.channels):
        source.close()
        raise SampleError(
            where=f"{source.path}, modality {source.name}",
            expected=f"sound of {declared} channels, as the bundle declares",
            got=f"{source.channels}",
            action="Convert the file, or export with the channels that there are.",
        )
    return SoundTrack(
        source,
        rate_hz=source.rate_hz,
        frames=max(1, int(sound["window"] * source.rate_hz / sound["rate_hz"])),
        whole=sound["shorter"] == "refuse",
        mono=declared == 1,
        duration_ns=source.duration_ns,
    )


def _text_file(name: str, file: str, text: Modality, given: Given) -> Track:
    try:
        return Still(name, Path(file).read_text(encoding="utf-8").rstrip("\r\n"))
    except (OSError, ValueError) as error:
        raise SampleError(
            where=f"{file}, modality {name}",
            expected="a file of UTF-8 text",
            got=getattr(error, "strerror", None) or str(error),
            action=f"Check the file, or pass --text {name}=WORDS.",
        ) from error


def _words(name: str, words: str, text: Modality, given: Given) -> Track:
    return Still(name, words)


# What a file of --sample is, by the kind of its modality.
_SAMPLES: Mapping[str, Make] = {
    "frame": _picture,
    "points": _cloud,
    "signal": _signal,
    "sound": _sound_file,
    "text": _text_file,
}


def _check_clocks(feeds: Feeds, given: Given) -> None:
    """A camera's time is now, a recording's is its own: they have no moment in common."""
    timed = [track for track in feeds.tracks if not isinstance(track, Still)]
    if given.camera and len(timed) > len(given.camera):
        raise ConfigError(
            where="--camera",
            expected="nothing recorded beside a camera but pictures and texts",
            got=", ".join(track.modality for track in timed),
            action="Say --absent for what there is no live source of, or run on a --video.",
        )
