// platform.hpp: what engines built and run on this device depend on.
#pragma once

#include <pybind11/pybind11.h>

namespace plait::python {

/// Adds engine_platform to the module.
void register_platform(pybind11::module_& module);

}  // namespace plait::python
