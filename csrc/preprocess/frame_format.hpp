// frame_format.hpp: what a pixel format's planes hold, and whether a frame's memory holds them.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "plait/sample.hpp"

namespace plait::detail {

/// Components that one plane interleaves, of one resolution: the luma of a YUYV row, the chroma of
/// an NV12 plane, the three colours of a BGR row.
struct ComponentGroup {
  int plane = 0;
  int components = 0;            ///< 1, 2 or 3
  int step = 0;                  ///< bytes from one of its pixels to the next
  std::array<int, 3> offsets{};  ///< byte of each component within a pixel
  std::array<int, 3> targets{};  ///< which of the format's colours (Y U V, or R G B) each one is
  int halved_columns = 0;        ///< 1: half the frame's width, else 0
  int halved_rows = 0;           ///< 1: half the frame's height, else 0
};

/// The facts of a format.
struct FormatFacts {
  const char* name = "";
  int planes = 0;
  int groups = 0;
  std::array<ComponentGroup, 3> group{};
  bool luma_chroma = false;  ///< Y U V; else R G B, or one component
  int bytes = 1;             ///< of a component
};

const FormatFacts& facts_of(PixelFormat format) noexcept;
/// Colours of a format: 3, or 1 of gray8 and gray16.
int colours_of(PixelFormat format) noexcept;

/// The part of a frame that is prepared: each plane's pointer is moved to the region's first pixel.
struct FrameView {
  PixelFormat format = PixelFormat::kRGB8;
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::array<const std::uint8_t*, 3> planes{};
  std::array<std::int64_t, 3> strides{};
  std::array<std::int64_t, 3> readable{};  ///< bytes of a row from the pointer to the row's end
};

/// Sizes beyond this are taken for damage.
inline constexpr std::int64_t kMaxFrameSide = 1 << 16;

/// Throws SampleError: a size that is not positive, odd where chroma is halved, or beyond
/// kMaxFrameSide; a region outside the frame; a stride shorter than a row; too little memory.
FrameView checked_view(const Frame& frame, const std::string& where);

}  // namespace plait::detail
