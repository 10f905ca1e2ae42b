// frame_cuda.hpp: the host's half of preparing frames on a CUDA device: tables, and what is copied.
//
// The kernel (frame_cuda.cu) is one more target of the fast path: the same weights and the same
// operations in the same order, so that it gives the bits of the plain loops.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "plait/manifest.hpp"
#include "plait/sample.hpp"
#include "preprocess/frame_cuda_call.hpp"
#include "preprocess/frame_format.hpp"

namespace plait::detail {

/// Whether the kernel computes what the description asks for: fast arithmetic on 8-bit formats.
bool prepared_on_cuda(const FrameDescription& description) noexcept;

/// What frames (or regions) of one format and size need. Immutable, thread-safe.
class FrameCudaPlan {
 public:
  /// Of a description for which prepared_on_cuda() is true. Throws SampleError, which begins with
  /// where, for gray16.
  FrameCudaPlan(const FrameDescription& description, PixelFormat format, std::int64_t height,
                std::int64_t width, const std::string& where);

  /// To be copied once to device memory aligned to 256 bytes.
  std::span<const std::byte> tables() const noexcept { return tables_; }

  /// The kernel's call. view's pointers are to device memory; tables is where the tables are there,
  /// out the encoder's input. The format and size are the plan's, or SampleError is thrown.
  FrameCudaCall call(const FrameView& view, const std::byte* tables, void* out) const;

  /// Bytes of a frame whose rows are packed for the kernel: those planes that it reads.
  std::size_t packed_bytes() const noexcept { return packed_bytes_; }
  /// Copies a frame's rows to packed, of packed_bytes(). What it is then where packed lies on the
  /// device. Throws SampleError as call().
  FrameView pack(const FrameView& view, std::byte* packed, const std::byte* on_device) const;

 private:
  struct Rows {
    std::int64_t count = 0;
    std::int64_t bytes = 0;   // of one
    std::int64_t stride = 0;  // of the packed
    std::size_t begin = 0;    // in the packed
  };

  void check(const FrameView& view) const;
  template <typename Value>
  std::int64_t add(const std::vector<Value>& table);

  PixelFormat format_;
  std::int64_t height_;
  std::int64_t width_;
  std::string where_;
  FrameCudaCall call_{};
  std::vector<std::byte> tables_;
  std::array<Rows, 3> planes_{};  // of those that are read; else no rows
  std::size_t packed_bytes_ = 0;
};

/// A preprocessor of frames whose work a CUDA device can do. Thread-safe.
class CudaFramePreprocessor {
 public:
  virtual ~CudaFramePreprocessor() = default;
  /// The sample's frame, or region, checked as prepare() does. Throws SampleError. Does not
  /// allocate.
  virtual FrameView view(const Sample& sample) const = 0;
  /// For frames such as this one.
  virtual FrameCudaPlan plan(const FrameView& view) const = 0;
};

}  // namespace plait::detail
