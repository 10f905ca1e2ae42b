// frame_geometry.cpp: stretch, shortest side, letterbox, centre crop.
#include "preprocess/frame_geometry.hpp"

#include <algorithm>
#include <cmath>

namespace plait::detail {
namespace {

std::int64_t crop_start(std::int64_t left_over, CropRounding rounding) noexcept {
  if (rounding == CropRounding::kDown) return left_over / 2;
  // Half of an odd number lies between two integers, of which the even one is taken.
  const std::int64_t below = left_over / 2;
  return left_over % 2 != 0 && below % 2 != 0 ? below + 1 : below;
}

/// round(side * ratio), ties to even, as Python's round(); at least one pixel remains.
std::int64_t scaled_side(std::int64_t side, double ratio) noexcept {
  return std::max<std::int64_t>(1, std::llrint(static_cast<double>(side) * ratio));
}

}  // namespace

FrameGeometry frame_geometry(const FrameDescription& description, std::int64_t height,
                             std::int64_t width) noexcept {
  FrameGeometry geometry;
  geometry.resized_height = description.height;
  geometry.resized_width = description.width;
  if (description.fit == FrameFit::kShortest) {
    const std::int64_t shortest = description.height;
    if (height <= width) {
      geometry.resized_width = shortest * width / height;
    } else {
      geometry.resized_height = shortest * height / width;
    }
  } else if (description.fit == FrameFit::kLetterbox) {
    const double ratio =
        std::min(static_cast<double>(description.height) / static_cast<double>(height),
                 static_cast<double>(description.width) / static_cast<double>(width));
    geometry.resized_height = std::min(scaled_side(height, ratio), description.height);
    geometry.resized_width = std::min(scaled_side(width, ratio), description.width);
  }
  geometry.rows = geometry.resized_height;
  geometry.columns = geometry.resized_width;
  geometry.output_height = geometry.rows;
  geometry.output_width = geometry.columns;
  if (description.fit == FrameFit::kLetterbox) {
    geometry.output_height = description.height;
    geometry.output_width = description.width;
    geometry.top = (description.height - geometry.rows) / 2;
    geometry.left = (description.width - geometry.columns) / 2;
  } else if (description.crop_height > 0) {
    geometry.rows = geometry.output_height = description.crop_height;
    geometry.columns = geometry.output_width = description.crop_width;
    geometry.first_row =
        crop_start(geometry.resized_height - geometry.rows, description.crop_rounding);
    geometry.first_column =
        crop_start(geometry.resized_width - geometry.columns, description.crop_rounding);
  }
  return geometry;
}

}  // namespace plait::detail
