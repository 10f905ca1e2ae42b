// pillar_scatter/simd.cpp: points sorted by cell, a cell's channels in registers, then a transpose.
#include <algorithm>

#include "ops/cell_order.hpp"
#include "ops/pillar_scatter/op.hpp"
#include "ops/pillar_scatter/scratch.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/pillar_scatter/simd.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/simd-inl.hpp"
#include "ops/transpose-inl.hpp"

#ifndef PLAIT_PILLAR_SCATTER_WORK
#define PLAIT_PILLAR_SCATTER_WORK
namespace plait::ops {

/// Cells whose values wait, channels last, for being written as rows of the canvas.
inline constexpr std::size_t kTileCells = 64;
/// Channels are padded to whole vectors of any target.
inline std::size_t padded_channels(std::size_t channels) { return (channels + 15) / 16 * 16; }

/// One share: tiles of cells [begin, end).
struct PillarWork {
  const Arguments* arguments;
  PillarScatter::Kind kind;
  std::span<const CellItem> ordered;
  float* tile;  // [kTileCells, padded channels]
  std::size_t begin;
  std::size_t end;
};

}  // namespace plait::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

template <typename T, PillarScatter::Kind kKind>
class Scatter {
 public:
  explicit Scatter(const PillarWork& work)
      : work_(work),
        values_(work.arguments->input<T>(0)),
        channels_(static_cast<std::size_t>(work.arguments->shape(0)[1])),
        padded_(padded_channels(channels_)),
        plane_(static_cast<std::size_t>(work.arguments->outputs[0].shape[1] *
                                        work.arguments->outputs[0].shape[2])),
        past_the_cache_(work.arguments->outputs[0].bytes() >= kPastTheCache) {}

  void run() const {
    std::size_t next = position_of(work_.ordered, cell_of(work_.begin));
    for (std::size_t tile = work_.begin; tile < work_.end; ++tile) {
      const std::size_t first = tile * kTileCells;
      const std::size_t cells = std::min(kTileCells, plane_ - first);
      const std::size_t before = next;
      next = fill_tile(next, first + cells);
      write_tile(first, cells);
      if (next != before) std::fill_n(work_.tile, kTileCells * padded_, 0.0F);
    }
    if (past_the_cache_) hwy::FlushStream();
  }

 private:
  static std::int64_t cell_of(std::size_t tile) {
    return static_cast<std::int64_t>(tile * kTileCells);
  }

  /// Reduces the cells before end into the tile, from position next on; returns where it stopped.
  std::size_t fill_tile(std::size_t next, std::size_t end) const {
    constexpr std::size_t kAhead = 8;
    const std::span<const CellItem> ordered = work_.ordered;
    while (next < ordered.size() && ordered[next].cell < end) {
      std::size_t stop = next;
      for (; stop < ordered.size() && ordered[stop].cell == ordered[next].cell; ++stop) {
        const std::size_t ahead = std::min(stop + kAhead, ordered.size() - 1);
        const T* row = values_.data() + ordered[ahead].point * channels_;
        constexpr std::size_t kLine = 64 / sizeof(T);
        for (std::size_t c = 0; c < channels_; c += kLine) hwy::Prefetch(row + c);
      }
      reduce_cell(ordered.subspan(next, stop - next),
                  work_.tile + (ordered[next].cell % kTileCells) * padded_);
      next = stop;
    }
    return next;
  }

  void reduce_cell(std::span<const CellItem> run, float* out) const {
    const std::size_t width = hn::Lanes(Floats());
    std::size_t c = 0;
    const auto blocks = [&]<int kVectors>() HWY_ATTR {
      for (; c + kVectors * width <= padded_ && c < channels_; c += kVectors * width) {
        reduce_block<kVectors>(run, c, out + c);
      }
    };
    blocks.template operator()<4>();
    blocks.template operator()<1>();
  }

  template <int kVectors>
  void reduce_block(std::span<const CellItem> run, std::size_t c, float* out) const {
    const Floats d;
    const std::size_t width = hn::Lanes(d);
    Vector totals[kVectors];
    for (int v = 0; v < kVectors; ++v) totals[v] = at(run.front().point, c + v * width);
    for (const CellItem item : run.subspan(1)) {
      for (int v = 0; v < kVectors; ++v) {
        const Vector next = at(item.point, c + v * width);
        if constexpr (kKind == PillarScatter::Kind::kMax) {
          // Not Max, which may drop a NaN.
          const auto keep = hn::Or(hn::Ge(totals[v], next), hn::IsNaN(totals[v]));
          totals[v] = hn::IfThenElse(keep, totals[v], next);
        } else {
          totals[v] = hn::Add(totals[v], next);
        }
      }
    }
    const Vector divisor = hn::Set(d, static_cast<float>(run.size()));
    for (int v = 0; v < kVectors; ++v) {
      if constexpr (kKind == PillarScatter::Kind::kMean) totals[v] = hn::Div(totals[v], divisor);
      hn::StoreU(totals[v], d, out + v * width);
    }
  }

  /// Channels c and following of a point; lanes past its last channel hold anything.
  Vector at(std::size_t point, std::size_t c) const {
    const Floats d;
    const T* p = values_.data() + point * channels_ + c;
    const std::size_t left = values_.size() - std::min(values_.size(), point * channels_ + c);
    return left >= hn::Lanes(d) ? load(d, p) : load_some(d, p, left);
  }

  void write_tile(std::size_t first, std::size_t cells) const {
    const Floats d;
    const std::size_t width = hn::Lanes(d);
    T* canvas = static_cast<T*>(work_.arguments->outputs[0].data) + first;
    Vector columns[4];
    for (std::size_t c = 0; c < channels_; c += 4) {
      const std::size_t count = std::min<std::size_t>(4, channels_ - c);
      for (std::size_t i = 0; i < cells; i += width) {
        four_columns(work_.tile + i * padded_ + c, padded_, columns);
        for (std::size_t j = 0; j < count; ++j) {
          write(columns[j], canvas + (c + j) * plane_ + i, std::min(width, cells - i));
        }
      }
    }
  }

  void write(Vector v, T* out, std::size_t count) const {
    const Floats d;
    if (count < hn::Lanes(d)) return store_some(d, v, out, count);
    if constexpr (std::is_same_v<T, float>) {
      const bool aligned = reinterpret_cast<std::uintptr_t>(out) % sizeof(Vector) == 0;
      if (past_the_cache_ && aligned) return hn::Stream(v, d, out);
    }
    store(d, v, out);
  }

  const PillarWork& work_;
  std::span<const T> values_;
  std::size_t channels_;
  std::size_t padded_;
  std::size_t plane_;
  bool past_the_cache_;
};

template <typename T>
void scatter_tiles_of(const PillarWork& work) {
  std::fill_n(work.tile,
              kTileCells * padded_channels(static_cast<std::size_t>(work.arguments->shape(0)[1])),
              0.0F);
  switch (work.kind) {
    case PillarScatter::Kind::kMax:
      return Scatter<T, PillarScatter::Kind::kMax>(work).run();
    case PillarScatter::Kind::kMean:
      return Scatter<T, PillarScatter::Kind::kMean>(work).run();
    case PillarScatter::Kind::kSum:
      return Scatter<T, PillarScatter::Kind::kSum>(work).run();
  }
}

void scatter_tiles(const PillarWork& work) {
  if (work.arguments->inputs[0].dtype == DType::kFloat32) {
    scatter_tiles_of<float>(work);
  } else {
    scatter_tiles_of<hwy::float16_t>(work);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {
namespace {

std::size_t shares_of(int threads) {
  return threads == 1 ? 1 : static_cast<std::size_t>(threads) * 4;
}

std::size_t tile_floats(std::int64_t channels) {
  return kTileCells * padded_channels(static_cast<std::size_t>(channels));
}

}  // namespace

std::size_t PillarScatter::scratch_bytes(std::span<const ConstTensorView> inputs,
                                         int threads) const {
  const auto points = static_cast<std::size_t>(inputs[0].shape[0]);
  const std::size_t order = points * 2 * sizeof(CellItem) +
                            CellOrderMemory::counts_needed(threads) * sizeof(std::uint32_t);
  const std::size_t tiles = shares_of(threads) * tile_floats(inputs[0].shape[1]) * sizeof(float);
  return std::max(order + tiles, static_cast<std::size_t>(rows * columns) * sizeof(CellSum));
}

void PillarScatter::run_simd(const Arguments& arguments, Parallel& parallel) const {
  static const auto scatter = PLAIT_SIMD_CHOOSE(scatter_tiles);
  if (scatter == nullptr) return run_scalar(arguments);
  const std::int64_t plane = rows * columns;
  const auto cells = arguments.input<std::int32_t>(1);
  check_cells(cells, plane);
  const std::size_t shares = shares_of(parallel.threads());
  const std::size_t floats = tile_floats(arguments.shape(0)[1]);
  // The tiles first: vectors are read and written there.
  auto* tiles = reinterpret_cast<float*>(arguments.scratch.data());
  auto* items = reinterpret_cast<CellItem*>(tiles + shares * floats);
  auto* counts = reinterpret_cast<std::uint32_t*>(items + 2 * cells.size());
  const CellOrderMemory memory{{items, cells.size()},
                               {items + cells.size(), cells.size()},
                               {counts, CellOrderMemory::counts_needed(parallel.threads())}};
  const auto ordered = order_by_cell(cells, plane, memory, parallel);
  // A tile costs its points' reading and its own writing: shares of about as much of both.
  const std::size_t all = (static_cast<std::size_t>(plane) + kTileCells - 1) / kTileCells;
  const auto cost_before = [&](std::size_t tile) {
    return tile * kTileCells + position_of(ordered, static_cast<std::int64_t>(tile * kTileCells));
  };
  const auto first_of = [&](std::size_t share) {
    const std::size_t wanted = cost_before(all) * share / shares;
    std::size_t low = 0;
    std::size_t high = all;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const bool before = cost_before(middle) < wanted;
      (before ? low : high) = before ? middle + 1 : middle;
    }
    return share == shares ? all : low;
  };
  const auto scatter_share = [&](std::size_t share) {
    scatter(
        {&arguments, kind, ordered, tiles + share * floats, first_of(share), first_of(share + 1)});
  };
  parallel.run(shares, scatter_share);
}

}  // namespace plait::ops
#endif
