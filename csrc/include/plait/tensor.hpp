// plait/tensor.hpp: element types, shapes, non-owning tensor views and one owning tensor.
//
// Views never own: whoever made the memory keeps it alive for as long as a view is used.
// Shapes and strides are stored inline (at most kMaxRank dimensions), so that making, copying and
// passing a view never allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "plait/export.hpp"

namespace plait {

enum class DType : std::uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kInt8,
  kUInt8,
  kInt16,
  kUInt16,
  kInt32,
  kInt64,
  kBool,
};

/// Bytes of one element.
PLAIT_API std::size_t size_of(DType dtype) noexcept;
/// "float32", "int8", ...: the names NumPy and the manifest use.
PLAIT_API std::string_view name_of(DType dtype) noexcept;
/// The reverse of name_of; throws ConfigError for a name that is none.
PLAIT_API DType dtype_named(std::string_view name);

inline constexpr std::size_t kMaxRank = 8;

/// Up to kMaxRank dimensions, stored inline. Throws ConfigError when given more.
class PLAIT_API Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(std::span<const std::int64_t> dims);

  std::size_t rank() const noexcept { return rank_; }
  std::int64_t operator[](std::size_t axis) const noexcept { return dims_[axis]; }
  std::span<const std::int64_t> dims() const noexcept { return {dims_.data(), rank_}; }
  /// Product of all dimensions; 1 for rank 0.
  std::int64_t elements() const noexcept;
  /// "[100, 3]"
  std::string text() const;

  friend bool operator==(const Shape& a, const Shape& b) noexcept {
    return a.rank_ == b.rank_ && a.dims_ == b.dims_;
  }

 private:
  std::array<std::int64_t, kMaxRank> dims_{};  // unused entries stay 0, so == may compare all
  std::size_t rank_ = 0;
};

/// A read-only strided view of somebody else's memory. Strides are in bytes and may be negative.
struct PLAIT_API ConstTensorView {
  const void* data = nullptr;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::array<std::int64_t, kMaxRank> strides{};

  ConstTensorView() = default;
  /// A contiguous (row-major) view.
  ConstTensorView(const void* data, DType dtype, const Shape& shape) noexcept;
  bool contiguous() const noexcept;
  std::size_t bytes() const noexcept;
};

/// A writable contiguous (row-major) view of somebody else's memory.
struct PLAIT_API TensorView {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
  Shape shape;

  std::size_t bytes() const noexcept;
  template <typename T>
  std::span<T> as_span() const noexcept {
    return {static_cast<T*>(data), static_cast<std::size_t>(shape.elements())};
  }
};

/// Owns 256-byte-aligned, zero-initialised, contiguous memory. Movable, not copyable.
class PLAIT_API Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, const Shape& shape);

  TensorView view() noexcept { return {data_.get(), dtype_, shape_}; }
  ConstTensorView view() const noexcept { return {data_.get(), dtype_, shape_}; }
  const Shape& shape() const noexcept { return shape_; }
  DType dtype() const noexcept { return dtype_; }

 private:
  struct AlignedDelete {
    void operator()(std::byte* data) const noexcept;
  };
  std::unique_ptr<std::byte[], AlignedDelete> data_;
  DType dtype_ = DType::kFloat32;
  Shape shape_;
};

}  // namespace plait
