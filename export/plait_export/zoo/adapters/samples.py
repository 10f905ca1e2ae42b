"""Raw samples for an adapted model: the user's own, or some that need no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import ConfigError, sources
from plait.sources.pictures import SUFFIXES, read_picture
from plait_export.describe import Deployment, Frame, Sound, Text

COUNT = 8
_MOST = 64
_SOUNDS = (".flac", ".mp3", ".ogg", ".wav")
# Public domain, in the package scikit-image itself.
_PHOTOS = ("astronaut", "cat", "coffee")
_TEXTS = (
    "a photo of an astronaut",
    "a cat that looks at you",
    "a cup of coffee on a table, seen from above",
    "Two dogs run through deep snow.",
    "rain",
    "A crowded street at night; signs glow in red, green & blue!",
    "the sound of 3 bells, far away",
    "Über den Dächern von Köln",
)


def samples(deployment: Deployment, folder: str | Path | None = None) -> list[dict[str, Any]]:
    """Raw samples of all modalities, as `export` takes them.

    folder: pictures, sounds (.flac, .mp3, .ogg, .wav) and texts (.txt, one a line), each kind in
        the order of its names and repeated until there are as many as of the longest, at most 64;
        None: photos of scikit-image where it is installed, made-up pictures, sounds and some texts.

    Raises ConfigError where the folder lacks what a modality needs, SampleError for a broken file.
    """
    directory = None if folder is None else Path(folder)
    if directory is not None and not directory.is_dir():
        raise ConfigError(
            where=str(folder),
            expected="a folder of samples",
            got="no such folder",
            action="Name one with pictures, sounds and texts, or leave it out.",
        )
    found = {
        name: list(islice(_OF[type(modality)](modality, directory), _MOST))
        for name, modality in deployment.modalities.items()
    }
    lacking = [name for name, values in found.items() if not values]
    if lacking:
        raise ConfigError(
            where=str(folder),
            expected=f"samples of {', '.join(lacking)}",
            got="none",
            action="Pictures, sounds (.wav, .flac, .ogg, .mp3) and texts (.txt) count.",
        )
    count = max(map(len, found.values()))
    return [
        {name: values[index % len(values)] for name, values in found.items()}
        for index in range(count)
    ]


def _pictures(_: Frame, folder: Path | None) -> Iterator[NDArray[np.uint8]]:
    """bgr8 frames."""
    if folder is not None:
        for path in _files(folder, SUFFIXES):
            frame = read_picture(path)
            if frame.format == "rgb8":
                yield np.ascontiguousarray(np.asarray(frame.data)[:, :, ::-1])
        return
    photos = list(_photos())
    yield from photos
    generator = np.random.default_rng(0)
    for index in range(COUNT - len(photos)):
        yield _made_up(generator, 97 + 61 * index, 301 - 23 * index)


def _photos() -> Iterator[NDArray[np.uint8]]:
    try:
        from skimage import data
    except ImportError:
        return
    for name in _PHOTOS:
        yield np.ascontiguousarray(getattr(data, name)()[:, :, ::-1])


def _made_up(generator: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Colours that change smoothly, with a sharp edge and some noise."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = generator.uniform(2.0, 20.0, (3, 2))
    levels = np.stack([np.sin(a * x + b * y) for a, b in waves], axis=2) * 100.0 + 128.0
    levels[height // 3 : height // 2, width // 4 :] *= 0.3
    levels += generator.normal(0.0, 6.0, levels.shape)
    return levels.clip(0, 255).astype(np.uint8)


def _texts(_: Text, folder: Path | None) -> Iterator[str]:
    if folder is None:
        yield from _TEXTS
        return
    for path in _files(folder, (".txt",)):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                where=str(path),
                expected="texts in UTF-8, one a line",
                got=str(error),
                action="Save it as UTF-8.",
            ) from error
        yield from (line.strip() for line in lines if line.strip())


def _sounds(sound: Sound, folder: Path | None) -> Iterator[NDArray[np.float32]]:
    """Mono at the model's rate, of a length that it takes."""
    generator = np.random.default_rng(1)
    if folder is None:
        for index in range(COUNT):
            yield _fitted(sound, _chirps(generator, sound, 0.3 + 0.25 * index))
        return
    for path in _files(folder, _SOUNDS):
        track = sources.SoundFile(path)
        with track:
            chunks = [_mono(chunk.sample.values) for chunk in track]
        rate = track.rate_hz
        yield _fitted(sound, _resampled(np.concatenate(chunks), rate, float(sound.rate_hz)))


def _mono(values: NDArray[Any]) -> NDArray[np.float32]:
    """The mean of all channels, in -1 to 1."""
    scale = 32768.0 if values.dtype == np.int16 else 1.0
    mono: NDArray[np.float32] = values.reshape(len(values), -1).mean(axis=1, dtype=np.float32)
    return mono / np.float32(scale)


def _chirps(generator: np.random.Generator, sound: Sound, part: float) -> NDArray[np.float32]:
    """A rising tone with overtones, in noise: a part of the window, which may be above 1."""
    time = np.arange(max(4000, int(sound.samples * part))) / float(sound.rate_hz)
    low, high = generator.uniform(80.0, 400.0), generator.uniform(500.0, 3000.0)
    phase = 2 * np.pi * (low * time + (high - low) * time**2 / (2 * time[-1]))
    tone = 0.4 * np.sin(phase) + 0.2 * np.sin(2 * phase) * (np.sin(9 * time) > 0)
    noisy = tone + generator.normal(0.0, 0.01, len(time))
    return np.asarray(noisy, dtype=np.float32)


def _resampled(values: NDArray[np.float32], rate: float, wanted: float) -> NDArray[np.float32]:
    if rate == wanted:
        return values
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(round(rate), round(wanted))
    resampled = resample_poly(values, round(wanted) // common, round(rate) // common)
    return np.asarray(resampled, dtype=np.float32)


def _fitted(sound: Sound, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Repeated or cut where the modality refuses other lengths."""
    if len(values) < sound.samples and sound.shorter == "refuse":
        return np.resize(values, sound.samples)
    if len(values) > sound.samples and sound.longer == "refuse":
        return values[: sound.samples]
    return values


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)


_OF: Mapping[type, Callable[[Any, Path | None], Iterator[Any]]] = {
    Frame: _pictures,
    Sound: _sounds,
    Text: _texts,
}
