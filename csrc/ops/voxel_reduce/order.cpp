// voxel_reduce/order.cpp: points sorted by cell, each voxel's points through registers.
#include <algorithm>

#include "ops/cell_order.hpp"
#include "ops/voxel_reduce/work.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/voxel_reduce/order.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/voxel_reduce/points-inl.hpp"

#ifndef PLAIT_VOXEL_ORDER_WORK
#define PLAIT_VOXEL_ORDER_WORK
namespace plait::ops {

/// Positions [begin, end) of ordered to reduce; both lie where voxels begin.
struct OrderShare {
  const LocatedPoints* located;
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

inline constexpr std::size_t kUnknown = ~std::size_t{0};

/// Channels c and following of the voxel that begins at the first item; returns how many points it
/// has, which count says where that is known.
template <bool kMax, bool kMoved, class D, typename T>
std::size_t reduce_channels(const PointRows<D, T>& rows, std::span<const CellItem> items,
                            std::size_t count, std::size_t c, T* out) {
  const D d;
  const std::size_t most = std::min(count, items.size());
  auto total = rows.template channels_from<kMoved>(c, items.front().point);
  std::size_t i = 1;
  for (; i < most && items[i].cell == items.front().cell; ++i) {
    total = joined<kMax>(total, rows.template channels_from<kMoved>(c, items[i].point));
  }
  if constexpr (!kMax) total = hn::Div(total, hn::Set(d, static_cast<float>(i)));
  rows.write(total, out + c, std::min(hn::Lanes(d), rows.channels() - c));
  return i;
}

/// The voxel that begins at the first item: its channels into out, and the number of its points.
template <bool kMax, class D, typename T>
std::size_t reduce_voxel(const PointRows<D, T>& rows, std::span<const CellItem> items, T* out) {
  const std::size_t width = hn::Lanes(D());
  // Found by the first block on its way: looking for the end alone costs as much again.
  const std::size_t count = reduce_channels<kMax, true>(rows, items, kUnknown, 0, out);
  std::size_t c = width;
  for (; c < 3; c += width) reduce_channels<kMax, true>(rows, items, count, c, out);
  for (; c < rows.channels(); c += width) reduce_channels<kMax, false>(rows, items, count, c, out);
  return count;
}

struct ReduceStep {
  const OrderShare& share;

  template <class D, typename T, bool kMax>
  void run() const {
    constexpr std::size_t kAhead = 24;  // points are read in no order of memory
    const LocatedPoints& located = *share.located;
    const PointRows<D, T> rows(located);
    const std::span<const CellItem> ordered = share.ordered.first(share.end);
    T* features = static_cast<T*>(located.arguments.outputs[0].data);
    std::int32_t* cells = located.arguments.output<std::int32_t>(1).data();
    std::int32_t* voxels = located.arguments.output<std::int32_t>(3).data();
    for (std::size_t i = share.begin; i < share.end;) {
      const CellItem first = ordered[i];
      const std::int32_t rank = share.ranks[first.point];
      if (rank < located.op.capacity) {
        T* row = features + static_cast<std::size_t>(rank) * rows.channels();
        const std::size_t end = i + reduce_voxel<kMax>(rows, ordered.subspan(i), row);
        cells[rank] = static_cast<std::int32_t>(first.cell);
        for (; i < end; ++i) {
          voxels[ordered[i].point] = rank;
          const std::size_t ahead = ordered[std::min(i + kAhead, ordered.size() - 1)].point;
          hwy::Prefetch(rows.row(ahead));
          hwy::Prefetch(share.ranks + ahead);
        }
      } else {
        for (; i < share.end && ordered[i].cell == first.cell; ++i) voxels[ordered[i].point] = -1;
      }
    }
  }
};

void reduce_share(const OrderShare& share) { with_kind(*share.located, ReduceStep{share}); }

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {
namespace {

/// The scratch, piece by piece.
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

/// Shares begin where voxels begin.
std::size_t first_of_share(std::span<const CellItem> ordered, std::size_t share,
                           std::size_t shares) {
  std::size_t i = ordered.size() * share / shares;
  while (i > 0 && i < ordered.size() && ordered[i].cell == ordered[i - 1].cell) ++i;
  return i;
}

}  // namespace

std::size_t order_bytes(std::int64_t points, int threads) {
  return bytes_of_pieces(static_cast<std::size_t>(points), threads);
}

void reduce_by_order(const LocatedPoints& located, Parallel& parallel) {
  static const auto reduce = PLAIT_SIMD_CHOOSE(reduce_share);
  const Arguments& arguments = located.arguments;
  const Pieces pieces = pieces_of(arguments.scratch, located.points(), parallel.threads());
  const std::size_t shares = shares_of(parallel);
  const auto ordered = order_by_cell(arguments.output<std::int32_t>(3), located.op.grid.total(),
                                     pieces.order, parallel);
  const std::int32_t found = rank_voxels(ordered, pieces, parallel);
  arguments.output<std::int32_t>(2)[0] = found;
  const auto reduce_one = [&](std::size_t share) {
    if (share == shares) return clear_rest(arguments, found);
    reduce({&located, ordered, pieces.ranks.data(), first_of_share(ordered, share, shares),
            first_of_share(ordered, share + 1, shares)});
  };
  parallel.run(shares + 1, reduce_one);
}

}  // namespace plait::ops
#endif
