// voxel_reduce/table.cpp: a table of all cells finds each point's voxel, and the point is added.
#include <algorithm>
#include <limits>

#include "ops/voxel_reduce/work.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/voxel_reduce/table.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/voxel_reduce/points-inl.hpp"

#ifndef PLAIT_VOXEL_TABLE_WORK
#define PLAIT_VOXEL_TABLE_WORK
namespace plait::ops {

/// The scratch, piece by piece. One row more than voxels are kept takes all that is left out.
struct VoxelTable {
  const LocatedPoints* located;
  std::size_t rows;      // voxels that are kept at most
  std::size_t stride;    // floats of a row of sums: the channels, then the number of points
  float* sums;           // [rows + 1, stride]
  std::int32_t* voxels;  // [cells + 1], of each cell, -1: none yet; the last: of points outside
};

/// Whole vectors of any target, with a lane past the channels.
inline std::size_t stride_of(std::size_t channels) {
  return channels < 8 ? 8 : (channels / 16 + 1) * 16;
}

}  // namespace plait::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

/// All points in their own order, each onto its voxel's row; output 3 holds rows, and then voxels.
struct AddStep {
  const VoxelTable& table;

  template <class D, typename T, bool kMax>
  void run() const {
    constexpr std::size_t kAhead = 24;  // rows come in no order of memory
    const PointRows<D, T> rows(*table.located);
    const auto voxels = table.located->arguments.output<std::int32_t>(3);
    const auto row_of = [&](std::size_t point) {
      return table.sums + static_cast<std::size_t>(voxels[point]) * table.stride;
    };
    const auto left_out = static_cast<std::int32_t>(table.rows);
    for (std::size_t i = 0; i < voxels.size(); ++i) {
      hwy::Prefetch(row_of(std::min(i + kAhead, voxels.size() - 1)));
      add<kMax>(rows, i, row_of(i));
      voxels[i] = voxels[i] == left_out ? -1 : voxels[i];
    }
  }

 private:
  template <bool kMax, class D, typename T>
  void add(const PointRows<D, T>& rows, std::size_t point, float* row) const {
    const D d;
    const std::size_t width = hn::Lanes(d);
    const auto add_lanes = [&](auto values, std::size_t c) HWY_ATTR {
      // Ones past the channels: their sum is the number of points.
      const std::size_t channels = rows.channels() - std::min(c, rows.channels());
      const auto next = hn::IfThenElse(hn::FirstN(d, channels), values, hn::Set(d, 1.0F));
      hn::StoreU(joined<kMax>(hn::LoadU(d, row + c), next), d, row + c);
    };
    std::size_t c = 0;
    for (; c < 3; c += width) add_lanes(rows.template channels_from<true>(c, point), c);
    for (; c < rows.channels(); c += width) {
      add_lanes(rows.template channels_from<false>(c, point), c);
    }
    for (; c < table.stride; c += width) add_lanes(hn::Zero(d), c);
  }
};

/// Voxels [begin, end) from their sums.
struct FinishStep {
  const VoxelTable& table;
  std::size_t begin;
  std::size_t end;

  template <class D, typename T, bool kMax>
  void run() const {
    const D d;
    const std::size_t width = hn::Lanes(d);
    const std::size_t channels = table.located->channels();
    T* features = static_cast<T*>(table.located->arguments.outputs[0].data);
    for (std::size_t voxel = begin; voxel < end; ++voxel) {
      const float* row = table.sums + voxel * table.stride;
      for (std::size_t c = 0; c < channels; c += width) {
        auto total = hn::LoadU(d, row + c);
        if constexpr (!kMax) total = hn::Div(total, hn::Set(d, row[channels]));
        // What a whole vector writes past its row, the rows that follow write again.
        const bool whole = (end - voxel) * channels - c >= width;
        const std::size_t count = whole ? width : std::min(width, channels - c);
        PointRows<D, T>::write(total, features + voxel * channels + c, count);
      }
    }
  }
};

void add_points(const VoxelTable& table) { with_kind(*table.located, AddStep{table}); }

void finish_voxels(const VoxelTable& table, std::size_t begin, std::size_t end) {
  with_kind(*table.located, FinishStep{table, begin, end});
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {
namespace {

std::size_t rows_for(const VoxelReduce& op, std::int64_t points) {
  return static_cast<std::size_t>(std::min(op.capacity, points));
}

std::size_t cells_of(const VoxelReduce& op) { return static_cast<std::size_t>(op.grid.total()); }

std::size_t bytes_of_sums(std::size_t rows, std::size_t channels) {
  return (rows + 1) * stride_of(channels) * sizeof(float);
}

VoxelTable table_of(const LocatedPoints& located) {
  const std::size_t rows = rows_for(located.op, located.arguments.shape(0)[0]);
  std::byte* scratch = located.arguments.scratch.data();
  auto* sums = reinterpret_cast<float*>(scratch);
  auto* voxels = reinterpret_cast<std::int32_t*>(scratch + bytes_of_sums(rows, located.channels()));
  return {&located, rows, stride_of(located.channels()), sums, voxels};
}

/// Puts each point's row into output 3, in place of its cell, and each voxel's cell into output 1.
/// Returns the number of voxels. Half of a sweep's points begin a voxel and a quarter lies outside,
/// in no order: without branches, which nothing could predict, this takes a quarter of the time.
std::int32_t number_voxels(const VoxelTable& table) {
  constexpr std::size_t kAhead = 16;  // cells come in no order of memory
  const Arguments& arguments = table.located->arguments;
  const auto points = arguments.output<std::int32_t>(3);
  std::int32_t* cells = arguments.output<std::int32_t>(1).data();
  const auto outside = static_cast<std::uint32_t>(cells_of(table.located->op));
  const auto slot_of = [&](std::int32_t cell) {
    return table.voxels + std::min(static_cast<std::uint32_t>(cell), outside);
  };
  const auto left_out = static_cast<std::int32_t>(table.rows);
  std::int32_t found = 0;
  std::int32_t nowhere = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    hwy::Prefetch(slot_of(points[std::min(i + kAhead, points.size() - 1)]));
    const std::int32_t cell = points[i];
    std::int32_t* slot = slot_of(cell);
    const std::int32_t is_new = *slot >> 31;  // all bits or none
    const std::int32_t voxel = (found & is_new) | (*slot & ~is_new);
    *slot = voxel;
    *(found < left_out ? cells + found : &nowhere) = cell;  // written again until a voxel is found
    found -= is_new;
    points[i] = std::min(voxel, left_out);
  }
  return found;
}

}  // namespace

bool table_fits(const VoxelReduce& op, std::int64_t points) {
  constexpr std::int64_t kCellsAPoint = 16;      // clearing more costs as much as a sort
  constexpr std::int64_t kMostPoints = 1 << 24;  // float32 counts no further
  return points < kMostPoints &&
         op.grid.total() <= std::max(points, std::int64_t{64}) * kCellsAPoint;
}

std::size_t table_bytes(const VoxelReduce& op, std::int64_t points, std::int64_t channels) {
  return bytes_of_sums(rows_for(op, points), static_cast<std::size_t>(channels)) +
         (cells_of(op) + 1) * sizeof(std::int32_t);
}

void reduce_by_table(const LocatedPoints& located, Parallel& parallel) {
  static const auto add = PLAIT_SIMD_CHOOSE(add_points);
  static const auto finish = PLAIT_SIMD_CHOOSE(finish_voxels);
  const Arguments& arguments = located.arguments;
  const VoxelTable table = table_of(located);
  const std::size_t cells = cells_of(located.op);
  std::fill_n(table.voxels, cells, -1);
  table.voxels[cells] = static_cast<std::int32_t>(table.rows);
  const std::int32_t found = number_voxels(table);
  arguments.output<std::int32_t>(2)[0] = found;
  const std::size_t kept = std::min(static_cast<std::size_t>(found), table.rows);
  // What a sum or a maximum does not change: -0 + x is x, that of 0 is not.
  const bool is_max = located.op.kind == VoxelReduce::Kind::kMax;
  const float first = is_max ? -std::numeric_limits<float>::infinity() : -0.0F;
  std::fill_n(table.sums, kept * table.stride, first);
  std::fill_n(table.sums + table.rows * table.stride, table.stride, first);
  add(table);
  const std::size_t shares = shares_of(parallel);
  const auto finish_one = [&](std::size_t share) {
    if (share == shares) return clear_rest(arguments, found);
    finish(table, kept * share / shares, kept * (share + 1) / shares);
  };
  parallel.run(shares + 1, finish_one);
}

}  // namespace plait::ops
#endif
