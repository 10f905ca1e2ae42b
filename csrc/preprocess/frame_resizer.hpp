// frame_resizer.hpp: one way of computing a frame's pixels, for one geometry, with its buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "plait/manifest.hpp"
#include "preprocess/frame_format.hpp"
#include "preprocess/frame_geometry.hpp"
#include "preprocess/frame_kernels.hpp"

namespace plait::detail {

/// What a resizer is made for.
struct ResizerRule {
  const FrameDescription* description = nullptr;  ///< outlives the resizer
  const FrameKernels* kernels = nullptr;
  PixelFormat format = PixelFormat::kRGB8;
  std::int64_t height = 0;  ///< of the frame or its region
  std::int64_t width = 0;
  FrameGeometry geometry;
  std::size_t bands = 1;  ///< how many calls of run() may be under way together
};

/// Rows [begin, end) of the geometry's window, and whose buffers compute them.
struct Band {
  std::size_t index = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Belongs to one scratch. Made once per geometry; run() does not allocate. A row comes out the
/// same whatever band it is in.
class FrameResizer {
 public:
  virtual ~FrameResizer() = default;
  /// Writes the band's rows into out, the whole encoder input. Calls for different bands may run at
  /// the same time.
  virtual void run(const FrameView& view, const Band& band, std::byte* out) = 0;
};

/// Sums in 16 and 32 bits, vertical first, unrounded until the end. 8-bit formats.
std::unique_ptr<FrameResizer> make_fast_resizer(const ResizerRule& rule);
/// Pillow's passes. 8-bit formats.
std::unique_ptr<FrameResizer> make_exact_resizer(const ResizerRule& rule);
/// Every output pixel is one input pixel.
std::unique_ptr<FrameResizer> make_nearest_resizer(const ResizerRule& rule);
/// Filters in float32. gray16.
std::unique_ptr<FrameResizer> make_depth_resizer(const ResizerRule& rule);

}  // namespace plait::detail
