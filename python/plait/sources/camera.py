"""Cameras, by OpenCV."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from plait.errors import SampleError
from plait.frame import Frame
from plait.sources.timed import Source, Timed, package


class Camera(Source):
    """A camera's frames, bgr8, each with the time at which it was read; there is no last one.

    Frames come as fast as they are asked for and the camera gives them; OpenCV keeps a few.

    Args:
        device: its number (0, 1, ...), a device file ("/dev/video2"), or what else OpenCV opens.
        name: of the stream.
        clock: nanoseconds; a device's times are this clock's.

    Raises:
        SampleError: there is no such camera; while reading, it gives no more frames.
        ConfigError: the package opencv is missing.
    """

    format = "bgr8"
    duration_ns: int | None = None

    def __init__(
        self,
        device: int | str = 0,
        name: str = "camera",
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(name)
        self._clock = clock
        self._where = f"camera {device}"
        opencv = package("cv2", self._where)
        number = isinstance(device, str) and device.isdecimal()
        self._capture: Any = opencv.VideoCapture(int(device) if number else device)
        if not self._capture.isOpened():
            self._capture.release()
            raise SampleError(
                where=self._where,
                expected="a camera that opens",
                got="none there, or one in use or without permission",
                action="`v4l2-ctl --list-devices` lists cameras.",
            )

    def _samples(self) -> Iterator[Timed]:
        count, last_ns = 0, -1
        while True:
            there, image = self._capture.read()
            if not there:
                raise SampleError(
                    where=self._where,
                    expected="a frame",
                    got=f"none any more, after {count}",
                    action="Was it unplugged? Open it again.",
                )
            count += 1
            last_ns = max(self._clock(), last_ns + 1)
            yield Timed(self.name, last_ns, Frame(image, self.format))

    def _release(self) -> None:
        self._capture.release()
