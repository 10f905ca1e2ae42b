// voxel_reduce/place.hpp: where a point lies after the transform, and in which cell of the grid.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "ops/voxel_reduce/op.hpp"

namespace plait::ops {

/// One place of arithmetic for everything but vector loops, which do the same steps.
class Place {
 public:
  Place(const VoxelGrid& grid, std::span<const float> transform) : grid_(grid) {
    std::copy_n(transform.begin(), transform_.size(), transform_.begin());
  }

  /// A coordinate after the transform.
  float moved(std::size_t axis, float x, float y, float z) const noexcept {
    const float* m = transform_.data() + axis * 4;
    return ((m[0] * x + m[1] * y) + m[2] * z) + m[3];
  }
  /// -1 outside of the grid, and for what is not finite.
  std::int32_t cell_of(float x, float y, float z) const noexcept {
    std::int32_t cell = 0;
    for (const std::size_t axis : {2U, 1U, 0U}) {
      const float step = std::floor((moved(axis, x, y, z) - grid_.lower[axis]) / grid_.size[axis]);
      if (!(step >= 0.0F && step < static_cast<float>(grid_.cells[axis]))) return -1;
      cell = cell * grid_.cells[axis] + static_cast<std::int32_t>(step);
    }
    return cell;
  }

 private:
  VoxelGrid grid_;
  std::array<float, 12> transform_{};
};

/// Working memory of run_scalar.
std::size_t scalar_scratch_bytes(std::int64_t points, std::int64_t capacity);

}  // namespace plait::ops
