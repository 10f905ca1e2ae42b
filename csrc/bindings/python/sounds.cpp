// sounds.cpp: an array, and the rate that a plait.Sound states.
#include "bindings/python/sounds.hpp"

#include <pybind11/numpy.h>

#include "bindings/python/arrays.hpp"

namespace plait::python {

Sound view_sound(const py::handle& value, const std::string& modality,
                 std::vector<py::object>& kept) {
  const bool states_rate =
      !py::isinstance<py::array>(value) && py::hasattr(value, "sample_rate_hz");
  if (!states_rate) return {.values = view_of(value, modality, kept)};
  Sound sound{.values = view_of(value.attr("values"), modality, kept)};
  const py::object rate = value.attr("sample_rate_hz");
  if (!rate.is_none()) sound.sample_rate_hz = py::cast<double>(rate);
  return sound;
}

}  // namespace plait::python
