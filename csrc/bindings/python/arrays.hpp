// arrays.hpp: NumPy and DLPack arrays as views, and views as NumPy arrays, without copies.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "plait/tensor.hpp"

namespace plait::python {

namespace py = pybind11;

/// Whether value says more of itself than an array: a plait.Series.
bool is_series(const py::handle& value);

/// Views a NumPy array, or anything that offers DLPack on the CPU. The object that owns the memory
/// is appended to kept. Throws SampleError for anything else, naming the modality.
ConstTensorView view_of(const py::handle& value, const std::string& modality,
                        std::vector<py::object>& kept);

/// Views a contiguous int64 array of time stamps. Throws SampleError for anything else.
std::span<const std::int64_t> timestamps_of(const py::handle& value, const std::string& modality,
                                            std::vector<py::object>& kept);

/// A read-only NumPy array on memory that owner keeps alive.
py::array array_on(const ConstTensorView& view, const py::object& owner);

/// A NumPy array for the core to write into.
class OwnedArray {
 public:
  explicit OwnedArray(const Shape& shape, DType dtype = DType::kFloat32);
  TensorView view() noexcept { return view_; }
  py::array array() const { return array_; }

 private:
  py::array array_;
  TensorView view_;
};

}  // namespace plait::python
