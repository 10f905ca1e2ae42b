// sounds.hpp: NumPy arrays, and plait.Sound around them, as stretches of PCM, without copies.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "plait/sample.hpp"

namespace plait::python {

/// Views an array as sound at the declared rate, or a plait.Sound, which may state another. The
/// array that owns the memory is appended to kept. Throws SampleError for what is no array.
Sound view_sound(const pybind11::handle& value, const std::string& modality,
                 std::vector<pybind11::object>& kept);

/// Adds the class FeatureStream.
void register_feature_stream(pybind11::module_& module);

}  // namespace plait::python
