// points.hpp: NumPy arrays, and plait.Points around them, as point clouds, without copies.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "plait/sample.hpp"

namespace plait::python {

/// Views an array as a cloud of the sensor as the bundle declares it, or a plait.Points, which may
/// say how this one is mounted. What owns the memory is appended to kept. Throws SampleError for
/// what is no array.
Points view_points(const pybind11::handle& value, const std::string& modality,
                   std::vector<pybind11::object>& kept);

}  // namespace plait::python
