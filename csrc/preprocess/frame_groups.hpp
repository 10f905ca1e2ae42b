// frame_groups.hpp: the fast path's fixed-point weights for each of a format's component groups.
#pragma once

#include <cstdint>
#include <vector>

#include "plait/manifest.hpp"
#include "preprocess/frame_colour.hpp"
#include "preprocess/frame_format.hpp"
#include "preprocess/frame_geometry.hpp"
#include "preprocess/frame_weights.hpp"

namespace plait::detail {

/// A group that is filtered as it is stored: vertical sums of bytes, shifted down to sum_bits
/// behind the point, then horizontal sums of those, whose product with scale are levels.
struct FastGroup {
  ComponentGroup group;
  FastTaps vertical;    ///< of the window's rows, on the group's rows
  FastTaps horizontal;  ///< of the window's columns, on the group's pixels
  int sum_bits = 0;
  float scale = 1.0F;

  int shift() const noexcept { return vertical.bits - sum_bits; }
};

/// Of frames (or regions) of an 8-bit format and a size: the groups that the description's channels
/// need, in the format's order.
std::vector<FastGroup> fast_groups(const FrameDescription& description, PixelFormat format,
                                   std::int64_t height, std::int64_t width,
                                   const FrameGeometry& geometry);

/// What the levels of an 8-bit format's groups are.
LevelColours level_colours(PixelFormat format) noexcept;
/// How many levels a pixel of the groups has: 1 or 3.
int level_count(const FrameDescription& description, PixelFormat format) noexcept;

}  // namespace plait::detail
