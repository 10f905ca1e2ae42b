// points.cpp: an array, and the mounting that a plait.Points states.
#include "bindings/python/points.hpp"

#include <pybind11/numpy.h>

#include "bindings/python/arrays.hpp"
#include "plait/error.hpp"

namespace plait::python {

Points view_points(const py::handle& value, const std::string& modality,
                   std::vector<py::object>& kept) {
  const bool states_mounting =
      !py::isinstance<py::array>(value) && py::hasattr(value, "extrinsics");
  if (!states_mounting) return {.values = view_of(value, modality, kept)};
  Points points{.values = view_of(value.attr("values"), modality, kept)};
  const py::object mounting = value.attr("extrinsics");
  if (mounting.is_none()) return points;
  const ConstTensorView view = view_of(mounting, modality, kept);
  if (view.dtype != DType::kFloat64 || !view.contiguous()) {
    throw SampleError({.where = "modality " + modality,
                       .expected = "extrinsics as a contiguous float64 array [3, 4]",
                       .got = view.shape.text() + " of " + std::string(name_of(view.dtype)),
                       .action = "Pass them through plait.Points."});
  }
  points.extrinsics = {static_cast<const double*>(view.data),
                       static_cast<std::size_t>(view.shape.elements())};
  return points;
}

}  // namespace plait::python
