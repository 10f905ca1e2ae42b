"""Log-mel and MFCC frames of a sound that comes in chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait import _core
from plait.sound import Sound


class FeatureStream:
    """Features of one microphone, fed in chunks of any size. Made by Model.feature_stream().

    All rows of a sound are, bit for bit, those of Model.prepare() on the whole of it, except that
    what belongs to a window as a whole is left out: its cut and filling up, and values relative to
    its largest one. Not for use by several threads at once.
    """

    def __init__(self, core: _core.FeatureStream) -> None:
        self._core = core

    @property
    def bands(self) -> int:
        """Values of a row."""
        return self._core.bands()

    def push(self, chunk: NDArray[Any] | Sound) -> NDArray[np.float32]:
        """Takes the next chunk; returns the rows that it decides, [frames, bands], perhaps none.

        Raises:
            SampleError: the chunk is not what the bundle declares, or of another rate than the one
                before; the stream is then reset.
        """
        return self._core.push(chunk)

    def finish(self) -> NDArray[np.float32]:
        """Ends the sound; returns the rows that its end decides. The next chunk begins another."""
        return self._core.finish()

    def reset(self) -> None:
        """Forgets the sound so far."""
        self._core.reset()
