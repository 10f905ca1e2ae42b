// arrays.cpp: element types and strides of NumPy arrays, told to the core.
#include "bindings/python/arrays.hpp"

#include <optional>

#include "plait/error.hpp"

namespace plait::python {
namespace {

std::optional<DType> dtype_of(const py::array& array) {
  const py::dtype dtype = array.dtype();
  if (dtype.byteorder() == '>') return std::nullopt;
  const auto size = dtype.itemsize();
  switch (dtype.kind()) {
    case 'f':
      if (size == 4) return DType::kFloat32;
      if (size == 8) return DType::kFloat64;
      if (size == 2) return DType::kFloat16;
      break;
    case 'i':
      if (size == 1) return DType::kInt8;
      if (size == 2) return DType::kInt16;
      if (size == 4) return DType::kInt32;
      if (size == 8) return DType::kInt64;
      break;
    case 'u':
      if (size == 1) return DType::kUInt8;
      if (size == 2) return DType::kUInt16;
      break;
    case 'b':
      return DType::kBool;
    default:
      break;
  }
  return std::nullopt;
}

py::array array_of(const py::handle& value, const std::string& modality) {
  if (py::isinstance<py::array>(value)) return py::reinterpret_borrow<py::array>(value);
  if (py::hasattr(value, "__dlpack__")) {
    return py::module_::import("numpy").attr("from_dlpack")(value);
  }
  throw SampleError(
      {.where = "modality " + modality,
       .expected = "a NumPy array, a plait.Series, a DLPack tensor on the CPU, or None",
       .got = py::cast<std::string>(py::str(py::type::of(value))),
       .action = "Wrap it in numpy.asarray."});
}

}  // namespace

bool is_series(const py::handle& value) {
  return !py::isinstance<py::array>(value) && py::hasattr(value, "timestamps_ns");
}

ConstTensorView view_of(const py::handle& value, const std::string& modality,
                        std::vector<py::object>& kept) {
  const py::array array = array_of(value, modality);
  const std::optional<DType> dtype = dtype_of(array);
  if (!dtype) {
    throw SampleError({.where = "modality " + modality,
                       .expected = "an array of native floats or integers",
                       .got = py::cast<std::string>(py::str(array.dtype())),
                       .action = "Convert the array first."});
  }
  if (static_cast<std::size_t>(array.ndim()) > kMaxRank) {
    throw SampleError({.where = "modality " + modality,
                       .expected = "at most " + std::to_string(kMaxRank) + " dimensions",
                       .got = std::to_string(array.ndim()),
                       .action = ""});
  }
  ConstTensorView view;
  view.data = array.data();
  view.dtype = *dtype;
  std::array<std::int64_t, kMaxRank> dims{};
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    dims[static_cast<std::size_t>(axis)] = array.shape(axis);
    view.strides[static_cast<std::size_t>(axis)] = array.strides(axis);
  }
  view.shape = Shape(std::span<const std::int64_t>(dims.data(), array.ndim()));
  kept.push_back(array);
  return view;
}

std::span<const std::int64_t> timestamps_of(const py::handle& value, const std::string& modality,
                                            std::vector<py::object>& kept) {
  const ConstTensorView view = view_of(value, modality, kept);
  if (view.dtype != DType::kInt64 || view.shape.rank() != 1 || !view.contiguous()) {
    throw SampleError({.where = "modality " + modality,
                       .expected = "time stamps as a contiguous one-dimensional int64 array",
                       .got = view.shape.text() + " of " + std::string(name_of(view.dtype)),
                       .action = "Pass integer nanoseconds."});
  }
  return {static_cast<const std::int64_t*>(view.data), static_cast<std::size_t>(view.shape[0])};
}

py::array array_on(const ConstTensorView& view, const py::object& owner) {
  const std::vector<py::ssize_t> dims(view.shape.dims().begin(), view.shape.dims().end());
  const py::dtype dtype(std::string(name_of(view.dtype)));
  py::array array(dtype, dims, view.data, owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

OwnedArray::OwnedArray(const Shape& shape, DType dtype)
    : array_(py::dtype(std::string(name_of(dtype))),
             std::vector<py::ssize_t>(shape.dims().begin(), shape.dims().end())),
      view_{array_.mutable_data(), dtype, shape} {}

}  // namespace plait::python
