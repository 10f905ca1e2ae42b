// tensor.cpp: element types, inline shapes, views and the owning tensor.
#include "plait/tensor.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "plait/error.hpp"

namespace plait {
namespace {

struct DTypeFact {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array kDTypes = {
    DTypeFact{DType::kFloat32, "float32", 4}, DTypeFact{DType::kFloat64, "float64", 8},
    DTypeFact{DType::kFloat16, "float16", 2}, DTypeFact{DType::kInt8, "int8", 1},
    DTypeFact{DType::kUInt8, "uint8", 1},     DTypeFact{DType::kInt16, "int16", 2},
    DTypeFact{DType::kUInt16, "uint16", 2},   DTypeFact{DType::kInt32, "int32", 4},
    DTypeFact{DType::kInt64, "int64", 8},     DTypeFact{DType::kBool, "bool", 1},
};

// TensorRT takes such addresses only; blocks of 64 bytes, which SIMD code wants, are aligned with
// them.
constexpr std::size_t kAlignment = 256;

}  // namespace

std::size_t size_of(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)].bytes; }

std::string_view name_of(DType dtype) noexcept {
  return kDTypes[static_cast<std::size_t>(dtype)].name;
}

DType dtype_named(std::string_view name) {
  for (const DTypeFact& fact : kDTypes) {
    if (fact.name == name) return fact.dtype;
  }
  throw ConfigError({.where = "element type",
                     .expected = "a NumPy-style name such as float32",
                     .got = "'" + std::string(name) + "'",
                     .action = ""});
}

Shape::Shape(std::initializer_list<std::int64_t> dims)
    : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) : rank_(dims.size()) {
  if (dims.size() > kMaxRank) {
    throw ConfigError({.where = "shape",
                       .expected = "at most " + std::to_string(kMaxRank) + " dimensions",
                       .got = std::to_string(dims.size()),
                       .action = ""});
  }
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

std::int64_t Shape::elements() const noexcept {
  std::int64_t product = 1;
  for (std::int64_t dim : dims()) product *= dim;
  return product;
}

std::string Shape::text() const {
  std::string text = "[";
  for (std::size_t axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(dims_[axis]);
  }
  return text + "]";
}

ConstTensorView::ConstTensorView(const void* data_in, DType dtype_in,
                                 const Shape& shape_in) noexcept
    : data(data_in), dtype(dtype_in), shape(shape_in) {
  auto stride = static_cast<std::int64_t>(size_of(dtype));
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
}

bool ConstTensorView::contiguous() const noexcept {
  auto stride = static_cast<std::int64_t>(size_of(dtype));
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    if (shape[axis] != 1 && strides[axis] != stride) return false;
    stride *= shape[axis];
  }
  return true;
}

std::size_t ConstTensorView::bytes() const noexcept {
  return static_cast<std::size_t>(shape.elements()) * size_of(dtype);
}

std::size_t TensorView::bytes() const noexcept {
  return static_cast<std::size_t>(shape.elements()) * size_of(dtype);
}

Tensor::Tensor(DType dtype, const Shape& shape) : dtype_(dtype), shape_(shape) {
  const std::size_t bytes =
      std::max<std::size_t>(static_cast<std::size_t>(shape.elements()) * size_of(dtype), 1);
  data_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment})));
  std::memset(data_.get(), 0, bytes);
}

void Tensor::AlignedDelete::operator()(std::byte* data) const noexcept {
  ::operator delete (data, std::align_val_t{kAlignment});
}

}  // namespace plait
