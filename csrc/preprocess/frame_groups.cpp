// frame_groups.cpp: folds weights for halved chroma and gives each pass the bits it has room for.
#include "preprocess/frame_groups.hpp"

#include <algorithm>

namespace plait::detail {
namespace {

/// Bits behind the point: of weights, of vertical sums, and of both passes together. 255 levels
/// (8 bits), a filter's overshoot (1 bit) and the sign leave 22; one more is kept in reserve.
constexpr int kMaxVerticalBits = 20;
constexpr int kMaxHorizontalBits = 17;
constexpr int kMaxSumBits = 6;
constexpr int kTotalBits = 21;

/// Gray out of luma and chroma is luma alone: the chroma is not even read.
bool luma_only(const FrameDescription& description, PixelFormat format) noexcept {
  return facts_of(format).luma_chroma && description.channels == FrameChannels::kGray;
}

FastGroup fast_group(const ComponentGroup& group, const AxisTaps<double>& rows,
                     const AxisTaps<double>& columns) {
  FastGroup made;
  made.group = group;
  made.vertical = fast_taps(group.halved_rows != 0 ? fold_pairs(rows) : rows, kMaxVerticalBits);
  made.horizontal =
      fast_taps(group.halved_columns != 0 ? fold_pairs(columns) : columns, kMaxHorizontalBits);
  made.sum_bits = std::min({kMaxSumBits, kTotalBits - made.horizontal.bits, made.vertical.bits});
  made.scale = 1.0F / static_cast<float>(1 << (made.sum_bits + made.horizontal.bits));
  return made;
}

}  // namespace

std::vector<FastGroup> fast_groups(const FrameDescription& description, PixelFormat format,
                                   std::int64_t height, std::int64_t width,
                                   const FrameGeometry& geometry) {
  const FormatFacts& facts = facts_of(format);
  const auto rows = filter_taps({description.filter, description.antialias, height,
                                 geometry.resized_height, geometry.first_row, geometry.rows});
  const auto columns =
      filter_taps({description.filter, description.antialias, width, geometry.resized_width,
                   geometry.first_column, geometry.columns});
  std::vector<FastGroup> groups;
  const int count = luma_only(description, format) ? 1 : facts.groups;
  groups.reserve(static_cast<std::size_t>(count));
  for (int g = 0; g < count; ++g) {
    groups.push_back(fast_group(facts.group[static_cast<std::size_t>(g)], rows, columns));
  }
  return groups;
}

LevelColours level_colours(PixelFormat format) noexcept {
  if (facts_of(format).luma_chroma) return LevelColours::kLumaChroma;
  return colours_of(format) == 3 ? LevelColours::kRedGreenBlue : LevelColours::kGray;
}

int level_count(const FrameDescription& description, PixelFormat format) noexcept {
  return luma_only(description, format) ? 1 : colours_of(format);
}

}  // namespace plait::detail
