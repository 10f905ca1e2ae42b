"""Where samples come from: files and devices as iterators of time-stamped samples.

>>> from plait import sources
>>> with sources.Video("front.mp4") as video:
...     for timed in video:
...         answer = model(front=timed.sample, sound=None)

Each source is a context manager too and gives `Timed` in increasing time; `Merged` joins several.
Packages that read files and devices are imported when a source is made
(pip install 'plait[sources]').
"""

from plait.sources.pictures import Pictures, read_picture
from plait.sources.signals import Signals
from plait.sources.timed import Merged, Source, Timed
from plait.sources.video import Video

__all__ = ["Merged", "Pictures", "Signals", "Source", "Timed", "Video", "read_picture"]
