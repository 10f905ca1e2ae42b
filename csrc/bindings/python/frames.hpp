// frames.hpp: NumPy arrays, and plait.Frame around them, as camera frames, without copies.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "plait/manifest.hpp"
#include "plait/sample.hpp"

namespace plait::python {

/// Views an array as a frame of the format that the bundle declares, or a plait.Frame, which may
/// state another and a region. The arrays that own the memory are appended to kept. Throws
/// SampleError where shape, element type or strides are not the format's.
Frame view_frame(const pybind11::handle& value, const FrameDescription& description,
                 const std::string& modality, std::vector<pybind11::object>& kept);

}  // namespace plait::python
