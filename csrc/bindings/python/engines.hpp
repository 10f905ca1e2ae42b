// engines.hpp: the cache of built engines, as Python's builder and tools use it.
#pragma once

#include <pybind11/pybind11.h>

namespace plait::python {

/// Adds EngineKey, EngineCache and what it hands out to the module.
void register_engine_cache(pybind11::module_& module);

}  // namespace plait::python
