// frame_cache.hpp: the resizers of the last few frame sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "preprocess/frame_resizer.hpp"

namespace plait::detail {

/// Of one description. Belongs to one thread at a time.
class ResizerCache {
 public:
  struct Entry {
    PixelFormat format = PixelFormat::kRGB8;
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::size_t bands = 0;
    FrameGeometry geometry;
    std::unique_ptr<FrameResizer> resizer;
    std::uint64_t used = 0;
  };

  ResizerCache() { entries_.reserve(kMost); }

  /// The resizer of a view's format and size; made where it is not among the last kMost that were
  /// asked for. Valid until the next call.
  const Entry& get(const FrameDescription& description, const FrameKernels& kernels,
                   const FrameView& view, std::size_t bands);

 private:
  static constexpr std::size_t kMost = 8;

  std::vector<Entry> entries_;
  std::uint64_t calls_ = 0;
};

}  // namespace plait::detail
