// sounds.cpp: an array, and the rate that a plait.Sound states.
#include "bindings/python/sounds.hpp"

#include <pybind11/numpy.h>

#include "bindings/python/arrays.hpp"
#include "plait/feature_stream.hpp"

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

namespace {

/// All rows that are there, [rows, bands].
py::array rows_of(FeatureStream& stream) {
  OwnedArray rows(Shape{stream.ready(), stream.bands()});
  stream.read(rows.view().as_span<float>());
  return rows.array();
}

py::array push(FeatureStream& stream, const py::object& chunk) {
  std::vector<py::object> kept;
  const Sound sound = view_sound(chunk, "of the stream", kept);
  {
    const py::gil_scoped_release release;
    stream.push(sound);
  }
  return rows_of(stream);
}

py::array finish(FeatureStream& stream) {
  {
    const py::gil_scoped_release release;
    stream.finish();
  }
  py::array rows = rows_of(stream);
  stream.reset();
  return rows;
}

}  // namespace

void register_feature_stream(py::module_& module) {
  py::class_<FeatureStream>(module, "FeatureStream")
      .def("bands", &FeatureStream::bands)
      .def("push", &push, py::arg("chunk"))
      .def("finish", &finish)
      .def("reset", &FeatureStream::reset);
}

}  // namespace plait::python
