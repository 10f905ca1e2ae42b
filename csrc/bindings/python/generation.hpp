// generation.hpp: generators of texts across the Python waist.
#pragma once

#include <pybind11/pybind11.h>

namespace plait {
class Result;
}

namespace plait::python {

/// Registers Generator, GenerationOptions and token_probabilities.
void register_generation(pybind11::module_& module);

/// The core's result in a Python one. Throws what pybind11 throws for another object.
const Result& result_in(const pybind11::handle& object);

}  // namespace plait::python
