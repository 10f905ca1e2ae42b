// voxel_reduce/simd.cpp: points located in vectors, then reduced the way that suits the grid.
#include <algorithm>

#include "ops/voxel_reduce/op.hpp"
#include "ops/voxel_reduce/place.hpp"
#include "ops/voxel_reduce/work.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/voxel_reduce/simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

/// One coordinate of as many points as a vector has lanes.
inline Vector coordinates(const float* first, std::size_t channels) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const auto rows = hn::Mul(hn::Iota(di, 0), hn::Set(di, static_cast<std::int32_t>(channels)));
  return hn::GatherIndex(d, first, rows);
}
inline Vector coordinates(const hwy::float16_t* first, std::size_t channels) {
  const Floats d;
  HWY_ALIGN float lanes[kMostLanes];
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = to_float(first[i * channels]);
  return hn::Load(d, lanes);
}

/// Cells of points [begin, end), into the output that takes voxels in the end.
template <typename T>
void locate_points_of(const LocatedPoints& located, std::size_t begin, std::size_t end) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const std::size_t width = hn::Lanes(d);
  const VoxelGrid& grid = located.op.grid;
  const std::size_t channels = located.channels();
  const T* points = static_cast<const T*>(located.arguments.inputs[0].data);
  const auto m = located.arguments.input<float>(1);
  std::int32_t* cells = located.arguments.output<std::int32_t>(3).data();
  std::size_t i = begin;
  for (; i + width <= end; i += width) {
    const T* point = points + i * channels;
    const Vector x = coordinates(point, channels);
    const Vector y = coordinates(point + 1, channels);
    const Vector z = coordinates(point + 2, channels);
    auto inside = hn::Eq(hn::Zero(d), hn::Zero(d));
    auto cell = hn::Zero(di);
    for (const std::size_t axis : {2U, 1U, 0U}) {
      const auto row = [&](std::size_t k) HWY_ATTR { return hn::Set(d, m[axis * 4 + k]); };
      const Vector two = hn::Add(hn::Mul(row(0), x), hn::Mul(row(1), y));
      const Vector moved = hn::Add(hn::Add(two, hn::Mul(row(2), z)), row(3));
      const Vector past = hn::Sub(moved, hn::Set(d, grid.lower[axis]));
      const Vector step = hn::Floor(hn::Div(past, hn::Set(d, grid.size[axis])));
      const Vector cells_here = hn::Set(d, static_cast<float>(grid.cells[axis]));
      inside = hn::And(inside, hn::And(hn::Ge(step, hn::Zero(d)), hn::Lt(step, cells_here)));
      const auto whole = hn::ConvertTo(di, hn::IfThenElseZero(inside, step));
      cell = hn::Add(hn::Mul(cell, hn::Set(di, grid.cells[axis])), whole);
    }
    hn::StoreU(hn::IfThenElse(hn::RebindMask(di, inside), cell, hn::Set(di, -1)), di, cells + i);
  }
  const Place place(grid, m);
  for (; i < end; ++i) {
    const T* point = points + i * channels;
    cells[i] = place.cell_of(to_float(point[0]), to_float(point[1]), to_float(point[2]));
  }
}

void locate_points(const LocatedPoints& located, std::size_t begin, std::size_t end) {
  if (located.arguments.inputs[0].dtype == DType::kFloat32) {
    locate_points_of<float>(located, begin, end);
  } else {
    locate_points_of<hwy::float16_t>(located, begin, end);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {

std::size_t shares_of(const Parallel& parallel) {
  const auto threads = static_cast<std::size_t>(parallel.threads());
  return threads == 1 ? 1 : threads * 4;
}

void clear_rest(const Arguments& arguments, std::int64_t found) {
  const auto cells = arguments.output<std::int32_t>(1);
  const auto used = std::min(static_cast<std::size_t>(found), cells.size());
  std::fill(cells.begin() + static_cast<std::ptrdiff_t>(used), cells.end(), -1);
  const std::size_t row = arguments.outputs[0].bytes() / cells.size();
  auto* features = static_cast<std::byte*>(arguments.outputs[0].data);
  std::fill(features + used * row, features + cells.size() * row, std::byte{0});
}

std::size_t VoxelReduce::scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const {
  const std::int64_t points = inputs[0].shape[0];
  const std::size_t simd = table_fits(*this, points)
                               ? table_bytes(*this, points, inputs[0].shape[1])
                               : order_bytes(points, threads);
  return std::max(simd, scalar_scratch_bytes(points, capacity));
}

void VoxelReduce::run_simd(const Arguments& arguments, Parallel& parallel) const {
  static const auto locate = PLAIT_SIMD_CHOOSE(locate_points);
  if (locate == nullptr) return run_scalar(arguments);
  const LocatedPoints located{*this, arguments};
  const std::size_t points = located.points();
  const std::size_t shares = shares_of(parallel);
  const auto locate_share = [&](std::size_t share) {
    locate(located, points * share / shares, points * (share + 1) / shares);
  };
  parallel.run(shares, locate_share);
  if (table_fits(*this, arguments.shape(0)[0])) {
    reduce_by_table(located, parallel);
  } else {
    reduce_by_order(located, parallel);
  }
}

}  // namespace plait::ops
#endif
