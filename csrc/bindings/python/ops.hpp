// ops.hpp: the operators, callable on NumPy and DLPack arrays.
#pragma once

#include <pybind11/pybind11.h>

namespace plait::python {

/// Adds operators() and run_operator() to the module.
void register_operators(pybind11::module_& module);

}  // namespace plait::python
