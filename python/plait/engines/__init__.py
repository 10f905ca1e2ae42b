"""TensorRT engines: built from a bundle's graphs in processes of their own, kept in a cache.

For instance:

    from plait.engines import Options, build_engines
    build_engines("watch.plait", Options(backend="tensorrt-rtx", targets=("sm86", "sm120")))
"""

from plait.engines.build import (
    Built,
    Engines,
    Failure,
    Options,
    build_engines,
    build_to_load,
)
from plait.engines.jobs import Job, jobs_of
from plait.engines.tensorrt import BACKENDS, open_tensorrt

__all__ = [
    "BACKENDS",
    "Built",
    "Engines",
    "Failure",
    "Job",
    "Options",
    "build_engines",
    "build_to_load",
    "jobs_of",
    "open_tensorrt",
]
