"""Where samples come from: files and devices as iterators of time-stamped samples.

>>> from plait import sources
>>> with sources.Merged(sources.Video(file, "image"), sources.VideoSound(file, "sound")) as merged:
...     for timed in merged:
...         print(timed.name, timed.time_ns / 1e9, type(timed.sample))

Each source is a context manager too and gives `Timed` in increasing time; `Merged` joins several.
Packages that read files and devices are imported when a source is made
(pip install 'plait[sources]').
"""

from plait.sources.camera import Camera
from plait.sources.clouds import Clouds, read_cloud
from plait.sources.microphone import Microphone
from plait.sources.pictures import Pictures, read_picture
from plait.sources.signals import Signals
from plait.sources.sound import SoundFile, VideoSound, has_sound
from plait.sources.timed import Merged, Source, Timed
from plait.sources.video import Video

__all__ = [
    "Camera",
    "Clouds",
    "Merged",
    "Microphone",
    "Pictures",
    "Signals",
    "SoundFile",
    "Source",
    "Timed",
    "Video",
    "VideoSound",
    "has_sound",
    "read_cloud",
    "read_picture",
]
