// frame_geometry.hpp: how large a frame becomes, which part of that is wanted, and where it lies.
#pragma once

#include <cstdint>

#include "plait/manifest.hpp"

namespace plait::detail {

/// Sizes in pixels. The frame is resized to resized_height x resized_width; of that the window
/// [first_row, first_row + rows) x [first_column, first_column + columns) is computed, and lies at
/// (top, left) of the encoder's input.
struct FrameGeometry {
  std::int64_t resized_height = 0;
  std::int64_t resized_width = 0;
  std::int64_t first_row = 0;
  std::int64_t first_column = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t output_height = 0;
  std::int64_t output_width = 0;
};

/// Of a frame (or region) of height x width, both positive.
FrameGeometry frame_geometry(const FrameDescription& description, std::int64_t height,
                             std::int64_t width) noexcept;

}  // namespace plait::detail
