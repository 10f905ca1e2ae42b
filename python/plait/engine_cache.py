"""Built TensorRT engines on disk, found again only where they fit.

A builder looks, takes the key's lock, looks again, builds and stores:

    cache = EngineCache()  # $PLAIT_ENGINE_CACHE, else ~/.cache/plait/engines
    with cache.lock(key):  # waits while another process builds the same
        engine, why_not = cache.find(key)
        if engine is None:
            cache.store(key, build(), report='{"seconds": 12.5}')

`find` gives the engine, or None and in words why there is none that may run; `engine.plan()` is a
view of the file, valid while the engine lives. An engine that is held is not evicted. Everything is
safe between threads and processes, and a process may be killed at any time. `store` raises
BackendError where the disk is full or read-only, ConfigError for a key or report that makes none
and for a plan larger than the cache; a key's fields are in docs/engines.md.
"""

from plait._core import CachedEngine, EngineCache, EngineEntry, EngineKey, EngineLock

__all__ = ["CachedEngine", "EngineCache", "EngineEntry", "EngineKey", "EngineLock"]
