// voxel_reduce/simd.cpp: points located in vectors, sorted by cell, each voxel's points through
// registers.
#include <algorithm>
#include <bit>

#include "base/half.hpp"
#include "ops/cell_order.hpp"
#include "ops/voxel_reduce/op.hpp"
#include "ops/voxel_reduce/place.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/voxel_reduce/simd.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/simd-inl.hpp"

#ifndef PLAIT_VOXEL_REDUCE_WORK
#define PLAIT_VOXEL_REDUCE_WORK
namespace plait::ops {

/// One share: points to locate [begin, end), or positions of ordered to reduce [begin, end).
struct VoxelWork {
  const Arguments* arguments;
  const VoxelReduce* op;
  std::span<const CellItem> ordered;
  const std::int32_t* ranks;  // of a voxel, at its first point
  std::size_t begin;
  std::size_t end;
};

}  // namespace plait::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

/// Cells of points, into the output that takes voxels in the end.
template <typename T>
void locate_points_of(const VoxelWork& work) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const std::size_t width = hn::Lanes(d);
  const VoxelGrid& grid = work.op->grid;
  const auto channels = static_cast<std::size_t>(work.arguments->shape(0)[1]);
  const T* points = static_cast<const T*>(work.arguments->inputs[0].data);
  const auto m = work.arguments->input<float>(1);
  std::int32_t* cells = work.arguments->output<std::int32_t>(3).data();
  HWY_ALIGN float at[3][kMostLanes];
  std::size_t i = work.begin;
  for (; i + width <= work.end; i += width) {
    for (std::size_t lane = 0; lane < width; ++lane) {
      const T* point = points + (i + lane) * channels;
      for (std::size_t axis = 0; axis < 3; ++axis) at[axis][lane] = to_float(point[axis]);
    }
    const Vector x = hn::Load(d, at[0]);
    const Vector y = hn::Load(d, at[1]);
    const Vector z = hn::Load(d, at[2]);
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
  for (; i < work.end; ++i) {
    const T* point = points + i * channels;
    cells[i] = place.cell_of(to_float(point[0]), to_float(point[1]), to_float(point[2]));
  }
}

/// A run of one voxel's points, a vector of channels at a time.
template <class D, typename T, bool kMax>
class Reducer {
 public:
  using V = hn::Vec<D>;

  explicit Reducer(const VoxelWork& work)
      : points_(static_cast<const T*>(work.arguments->inputs[0].data)),
        channels_(static_cast<std::size_t>(work.arguments->shape(0)[1])),
        size_(work.arguments->input<T>(0).size()) {
    const auto m = work.arguments->input<float>(1);
    for (std::size_t column = 0; column < 4; ++column) {
      for (std::size_t axis = 0; axis < 3; ++axis) columns_[column][axis] = m[axis * 4 + column];
    }
  }

  /// The voxel that begins at the first item: its channels into out, and the number of its points.
  std::size_t reduce(std::span<const CellItem> items, T* out) const {
    // Found by the first block on its way: looking for the end alone costs as much again.
    const std::size_t count = reduce_block<true>(items, kUnknown, 0, out);
    std::size_t c = width_;
    for (; c < 3; c += width_) reduce_block<true>(items, count, c, out);
    for (; c < channels_; c += width_) reduce_block<false>(items, count, c, out);
    return count;
  }

 private:
  static constexpr std::size_t kUnknown = ~std::size_t{0};

  template <bool kMoved>
  std::size_t reduce_block(std::span<const CellItem> items, std::size_t count, std::size_t c,
                           T* out) const {
    const D d;
    const std::size_t most = std::min(count, items.size());
    V total = value<kMoved>(items.front().point, c);
    std::size_t i = 1;
    for (; i < most && items[i].cell == items.front().cell; ++i) {
      const V next = value<kMoved>(items[i].point, c);
      if constexpr (kMax) {
        // Not Max, which may drop a NaN.
        const auto keep = hn::Or(hn::Ge(total, next), hn::IsNaN(total));
        total = hn::IfThenElse(keep, total, next);
      } else {
        total = hn::Add(total, next);
      }
    }
    if constexpr (!kMax) total = hn::Div(total, hn::Set(d, static_cast<float>(i)));
    write(total, out + c, std::min(width_, channels_ - c));
    return i;
  }

  /// Channels c and following of a point; lanes past its last channel hold anything.
  template <bool kMoved>
  V value(std::size_t point, std::size_t c) const {
    const D d;
    const T* row = points_ + point * channels_;
    const bool whole = point * channels_ + c + width_ <= size_;
    V values = whole ? load_row(row + c) : load_last(row + c, std::min(width_, channels_ - c));
    if constexpr (kMoved) {
      const auto times = [&](std::size_t column) HWY_ATTR {
        return hn::Mul(hn::LoadU(d, columns_[column] + c), hn::Set(d, to_float(row[column])));
      };
      const V two = hn::Add(times(0), times(1));
      const V moved = hn::Add(hn::Add(two, times(2)), hn::LoadU(d, columns_[3] + c));
      values = hn::IfThenElse(hn::FirstN(d, 3 - c), moved, values);
    }
    return values;
  }

  static V load_row(const float* p) { return hn::LoadU(D(), p); }
  static V load_row(const hwy::float16_t* p) {
    return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<hwy::float16_t, D>(), p));
  }
  static V load_last(const T* p, std::size_t count) {
    HWY_ALIGN T buffer[kMostLanes] = {};
    std::copy_n(p, count, buffer);
    return load_row(buffer);
  }

  /// Other shares write the rows before and after at the same time: not a value more than count.
  void write(V v, float* out, std::size_t count) const {
    const D d;
    if (count == width_) return hn::StoreU(v, d, out);
    if constexpr (hn::MaxLanes(D()) >= 4) {
      const hn::CappedTag<float, 4> d4;
      HWY_ALIGN float lanes[kMostLanes];
      hn::Store(v, d, lanes);
      std::size_t i = 0;
      for (; i + 4 <= count; i += 4) hn::StoreU(hn::Load(d4, lanes + i), d4, out + i);
      const std::size_t rest = count - i;  // single stores: of a loop, compilers make a call
      if (rest > 0) out[i] = lanes[i];
      if (rest > 1) out[i + 1] = lanes[i + 1];
      if (rest > 2) out[i + 2] = lanes[i + 2];
    }
  }
  void write(V v, hwy::float16_t* out, std::size_t count) const {
    const hn::Rebind<hwy::float16_t, D> d16;
    HWY_ALIGN hwy::float16_t lanes[kMostLanes];
    hn::StoreU(hn::DemoteTo(d16, v), d16, lanes);
    std::copy_n(lanes, count, out);
  }

  const T* points_;
  std::size_t channels_;
  std::size_t size_;
  std::size_t width_ = hn::Lanes(D());
  float columns_[4][kMostLanes + 3] = {};  // of the transform, 0 past its rows
};

template <class D, typename T, bool kMax>
void reduce_voxels_with(const VoxelWork& work) {
  constexpr std::size_t kAhead = 24;  // points are read in no order of memory
  const Reducer<D, T, kMax> reducer(work);
  const std::span<const CellItem> ordered = work.ordered.first(work.end);
  const auto channels = static_cast<std::size_t>(work.arguments->shape(0)[1]);
  const T* points = static_cast<const T*>(work.arguments->inputs[0].data);
  T* features = static_cast<T*>(work.arguments->outputs[0].data);
  std::int32_t* cells = work.arguments->output<std::int32_t>(1).data();
  std::int32_t* voxels = work.arguments->output<std::int32_t>(3).data();
  for (std::size_t i = work.begin; i < work.end;) {
    const CellItem first = ordered[i];
    const std::int32_t rank = work.ranks[first.point];
    if (rank < work.op->capacity) {
      T* row = features + static_cast<std::size_t>(rank) * channels;
      const std::size_t end = i + reducer.reduce(ordered.subspan(i), row);
      cells[rank] = static_cast<std::int32_t>(first.cell);
      for (; i < end; ++i) {
        voxels[ordered[i].point] = rank;
        const std::size_t ahead = ordered[std::min(i + kAhead, ordered.size() - 1)].point;
        hwy::Prefetch(points + ahead * channels);
        hwy::Prefetch(work.ranks + ahead);
      }
    } else {
      for (; i < work.end && ordered[i].cell == first.cell; ++i) voxels[ordered[i].point] = -1;
    }
  }
}

template <typename T>
void reduce_voxels_of(const VoxelWork& work) {
  using Narrow = hn::CappedTag<float, 8>;  // points of a few channels, the usual ones
  const bool narrow = work.arguments->shape(0)[1] <= 8;
  if (work.op->kind == VoxelReduce::Kind::kMax) {
    narrow ? reduce_voxels_with<Narrow, T, true>(work) : reduce_voxels_with<Floats, T, true>(work);
  } else {
    narrow ? reduce_voxels_with<Narrow, T, false>(work)
           : reduce_voxels_with<Floats, T, false>(work);
  }
}

void locate_points(const VoxelWork& work) {
  if (work.arguments->inputs[0].dtype == DType::kFloat32) {
    locate_points_of<float>(work);
  } else {
    locate_points_of<hwy::float16_t>(work);
  }
}

void reduce_voxels(const VoxelWork& work) {
  if (work.arguments->inputs[0].dtype == DType::kFloat32) {
    reduce_voxels_of<float>(work);
  } else {
    reduce_voxels_of<hwy::float16_t>(work);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {
namespace {

std::size_t shares_of(const Parallel& parallel) {
  const auto threads = static_cast<std::size_t>(parallel.threads());
  return threads == 1 ? 1 : threads * 4;
}

/// The scratch of run_simd, piece by piece.
struct Pieces {
  CellOrderMemory order;
  std::span<std::int32_t> ranks;       // a point
  std::span<std::int32_t> share_sums;  // a share
};

std::size_t bytes_of_pieces(std::size_t points, int threads) {
  const std::size_t words =
      CellOrderMemory::counts_needed(threads) + points + static_cast<std::size_t>(threads) * 4;
  return points * 2 * sizeof(CellItem) + words * sizeof(std::int32_t);
}

Pieces pieces_of(std::span<std::byte> scratch, std::size_t points, int threads) {
  auto* items = reinterpret_cast<CellItem*>(scratch.data());
  auto* counts = reinterpret_cast<std::uint32_t*>(items + 2 * points);
  const std::size_t needed = CellOrderMemory::counts_needed(threads);
  auto* ranks = reinterpret_cast<std::int32_t*>(counts + needed);
  return {{{items, points}, {items + points, points}, {counts, needed}},
          {ranks, points},
          {ranks + points, static_cast<std::size_t>(threads) * 4}};
}

/// ranks[i] becomes the number of voxels whose first point comes before point i; returns how many
/// there are.
std::int32_t rank_voxels(std::span<const CellItem> ordered, const Pieces& pieces,
                         Parallel& parallel) {
  const std::span<std::int32_t> ranks = pieces.ranks;
  const std::size_t shares = shares_of(parallel);
  const auto clear = [&](std::size_t share) {
    const std::size_t begin = ranks.size() * share / shares;
    std::fill(ranks.begin() + static_cast<std::ptrdiff_t>(begin),
              ranks.begin() + static_cast<std::ptrdiff_t>(ranks.size() * (share + 1) / shares), 0);
  };
  parallel.run(shares, clear);
  const auto mark = [&](std::size_t share) {
    const std::size_t end = ordered.size() * (share + 1) / shares;
    for (std::size_t i = ordered.size() * share / shares; i < end; ++i) {
      const bool first = i == 0 || ordered[i].cell != ordered[i - 1].cell;
      ranks[ordered[i].point] = first ? 1 : 0;
    }
  };
  parallel.run(shares, mark);
  const auto add = [&](std::size_t share) {
    std::int32_t sum = 0;
    const std::size_t end = ranks.size() * (share + 1) / shares;
    for (std::size_t i = ranks.size() * share / shares; i < end; ++i) sum += ranks[i];
    pieces.share_sums[share] = sum;
  };
  parallel.run(shares, add);
  std::int32_t found = 0;
  for (std::int32_t& sum : pieces.share_sums.first(shares)) {
    const std::int32_t before = found;
    found += sum;
    sum = before;
  }
  const auto count = [&](std::size_t share) {
    std::int32_t next = pieces.share_sums[share];
    const std::size_t end = ranks.size() * (share + 1) / shares;
    for (std::size_t i = ranks.size() * share / shares; i < end; ++i) {
      const std::int32_t first = ranks[i];
      ranks[i] = next;
      next += first;
    }
  };
  parallel.run(shares, count);
  return found;
}

/// The rows that no voxel takes.
void clear_rest(const Arguments& arguments, std::int64_t found) {
  const auto cells = arguments.output<std::int32_t>(1);
  const auto used = std::min(static_cast<std::size_t>(found), cells.size());
  std::fill(cells.begin() + static_cast<std::ptrdiff_t>(used), cells.end(), -1);
  const std::size_t row = arguments.outputs[0].bytes() / cells.size();
  auto* features = static_cast<std::byte*>(arguments.outputs[0].data);
  std::fill(features + used * row, features + cells.size() * row, std::byte{0});
}

/// Shares begin where voxels begin.
std::size_t first_of_share(std::span<const CellItem> ordered, std::size_t share,
                           std::size_t shares) {
  std::size_t i = ordered.size() * share / shares;
  while (i > 0 && i < ordered.size() && ordered[i].cell == ordered[i - 1].cell) ++i;
  return i;
}

}  // namespace

std::size_t VoxelReduce::scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const {
  const std::int64_t points = inputs[0].shape[0];
  return std::max(bytes_of_pieces(static_cast<std::size_t>(points), threads),
                  scalar_scratch_bytes(points, capacity));
}

void VoxelReduce::run_simd(const Arguments& arguments, Parallel& parallel) const {
  static const auto locate = PLAIT_SIMD_CHOOSE(locate_points);
  static const auto reduce = PLAIT_SIMD_CHOOSE(reduce_voxels);
  if (locate == nullptr) return run_scalar(arguments);
  const auto points = static_cast<std::size_t>(arguments.shape(0)[0]);
  const Pieces pieces = pieces_of(arguments.scratch, points, parallel.threads());
  const std::size_t shares = shares_of(parallel);
  const auto locate_share = [&](std::size_t share) {
    locate({&arguments, this, {}, nullptr, points * share / shares, points * (share + 1) / shares});
  };
  parallel.run(shares, locate_share);
  const auto ordered =
      order_by_cell(arguments.output<std::int32_t>(3), grid.total(), pieces.order, parallel);
  const std::int32_t found = rank_voxels(ordered, pieces, parallel);
  arguments.output<std::int32_t>(2)[0] = found;
  const auto reduce_share = [&](std::size_t share) {
    if (share == shares) return clear_rest(arguments, found);
    reduce({&arguments, this, ordered, pieces.ranks.data(), first_of_share(ordered, share, shares),
            first_of_share(ordered, share + 1, shares)});
  };
  parallel.run(shares + 1, reduce_share);
}

}  // namespace plait::ops
#endif
