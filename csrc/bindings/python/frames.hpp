// frames.hpp: NumPy arrays, and plait.Frame around them, as camera frames, without copies.
#pragma once

#include <pybind11/pybind11.h>

#include <span>
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

/// A frame and regions (x, y, width, height) of it, viewed: the arrays are kept alive alongside.
class RegionList {
 public:
  /// Throws ConfigError where the modality is no camera of the bundle, SampleError for what is no
  /// frame or no region.
  RegionList(const Manifest& manifest, const std::string& modality, const pybind11::handle& frame,
             const pybind11::iterable& regions);

  const Frame& frame() const { return frame_; }
  std::span<const Rectangle> regions() const { return regions_; }

 private:
  std::vector<pybind11::object> kept_;
  std::vector<Rectangle> regions_;
  Frame frame_;
};

}  // namespace plait::python
