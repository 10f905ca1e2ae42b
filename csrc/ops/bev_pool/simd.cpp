// bev_pool/simd.cpp: features with channels last, a cell's channels in registers, then a transpose.
//
// The plane is pooled in tiles, since a camera's rays cross neighbouring cells: what one reads of
// the features, the next finds in the cache. A tile is as large as the cache holds beside them: the
// rows of the output lie far apart, and each is written in longer pieces.
#include <algorithm>
#include <type_traits>

#include "ops/bev_pool/op.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/bev_pool/simd.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/bev_pool/transpose-inl.hpp"
#include "ops/simd-inl.hpp"

#ifndef PLAIT_BEV_POOL_WORK
#define PLAIT_BEV_POOL_WORK
namespace plait::ops {

/// Cells whose sums wait, channels last, for being written as rows of the output.
inline constexpr std::int64_t kTileRows = 8;
inline constexpr std::int64_t kTileColumns = 64;
inline constexpr std::int64_t kTileCells = kTileRows * kTileColumns;
/// Channels are padded to whole vectors of any target.
inline std::int64_t padded_channels(std::int64_t channels) { return (channels + 15) / 16 * 16; }

/// The plane in tiles, numbered row by row.
struct BevTiles {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t across;
  std::int64_t count;

  BevTiles(std::int64_t cells, std::int64_t plane_rows)
      : rows(plane_rows),
        columns(cells / plane_rows),
        across((columns + kTileColumns - 1) / kTileColumns),
        count(across * ((rows + kTileRows - 1) / kTileRows)) {}
};

/// One share: pixels to turn [begin, end), or tiles to pool [begin, end).
struct BevWork {
  const Arguments* arguments;
  const BevTiles* tiles;
  float* features;  // [cameras x height x width, padded channels]
  float* tile;      // [kTileRows, kTileColumns, padded channels]
  std::int64_t begin;
  std::int64_t end;
};

}  // namespace plait::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

/// context [camera][channel][pixel] -> features [camera x pixel][channel], a block of pixels at a
/// time so that both sides stay in the cache.
template <typename T>
void turn_pixels_of(const BevWork& work) {
  constexpr std::int64_t kPixels = 16;
  const Shape& shape = work.arguments->shape(1);
  const std::int64_t channels = shape[1];
  const std::int64_t plane = shape[2] * shape[3];
  const std::int64_t padded = padded_channels(channels);
  const T* context = static_cast<const T*>(work.arguments->inputs[1].data);
  for (std::int64_t pixel = work.begin; pixel < work.end;) {
    const std::int64_t camera = pixel / plane;
    const std::int64_t count = std::min({kPixels, work.end - pixel, (camera + 1) * plane - pixel});
    const T* source = context + camera * channels * plane + (pixel - camera * plane);
    float* target = work.features + pixel * padded;
    transpose(source, plane, channels, count, target, padded);
    for (std::int64_t i = 0; i < count; ++i) {
      std::fill(target + i * padded + channels, target + (i + 1) * padded, 0.0F);
    }
    pixel += count;
  }
}

/// Points of one cell.
template <typename T>
struct BevCell {
  const T* depth;
  const std::int32_t* depths;
  const std::int32_t* pixels;
  std::int64_t points;
};

/// kVectors vectors of channels of one cell's sum.
template <int kVectors, typename T>
void pool_block(const BevCell<T>& cell, const float* features, std::int64_t padded, float* out) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  Vector sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  for (std::int64_t i = 0; i < cell.points; ++i) {
    const Vector weight = hn::Set(d, to_float(cell.depth[cell.depths[i]]));
    const float* row = features + cell.pixels[i] * padded;
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = hn::MulAdd(weight, hn::LoadU(d, row + v * width), sums[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, out + v * width);
}

/// All channels, in as few and as equal blocks as registers allow.
template <int kMost, typename T>
void pool_blocks(const BevCell<T>& cell, const float* features, std::int64_t vectors,
                 std::int64_t padded, float* out) {
  const auto width = static_cast<std::int64_t>(hn::Lanes(Floats()));
  if constexpr (kMost > 1) {
    if (vectors < kMost) return pool_blocks<kMost - 1>(cell, features, vectors, padded, out);
  }
  for (std::int64_t v = 0; v < vectors; v += kMost) {
    pool_block<kMost>(cell, features + v * width, padded, out + v * width);
  }
}

template <typename T>
void pool_cell(const BevCell<T>& cell, const float* features, std::int64_t padded, float* out) {
  const auto width = static_cast<std::int64_t>(hn::Lanes(Floats()));
  constexpr int kMost = 10;
  for (std::int64_t left = padded / width; left > 0;) {
    const std::int64_t blocks = (left + kMost - 1) / kMost;
    const std::int64_t vectors = (left + blocks - 1) / blocks;
    pool_blocks<kMost>(cell, features, vectors, padded, out);
    features += vectors * width;
    out += vectors * width;
    left -= vectors;
  }
}

/// Whether all indices of points [begin, end) lie in what they point into.
bool valid_points(const Arguments& arguments, std::int64_t begin, std::int64_t end) {
  const hn::ScalableTag<std::uint32_t> d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const auto* depths = static_cast<const std::uint32_t*>(arguments.inputs[2].data);
  const auto* pixels = static_cast<const std::uint32_t*>(arguments.inputs[3].data);
  const Shape& context = arguments.shape(1);
  const auto most_depths = static_cast<std::uint64_t>(arguments.shape(0).elements());
  const auto most_pixels = static_cast<std::uint64_t>(context[0] * context[2] * context[3]);
  // Negative ones turn large.
  auto largest_depth = hn::Zero(d);
  auto largest_pixel = hn::Zero(d);
  std::int64_t i = begin;
  for (; i + width <= end; i += width) {
    largest_depth = hn::Max(largest_depth, hn::LoadU(d, depths + i));
    largest_pixel = hn::Max(largest_pixel, hn::LoadU(d, pixels + i));
  }
  std::uint64_t depth = hn::GetLane(hn::MaxOfLanes(d, largest_depth));
  std::uint64_t pixel = hn::GetLane(hn::MaxOfLanes(d, largest_pixel));
  for (; i < end; ++i) {
    depth = std::max<std::uint64_t>(depth, depths[i]);
    pixel = std::max<std::uint64_t>(pixel, pixels[i]);
  }
  return begin == end || (depth < most_depths && pixel < most_pixels);
}

/// The tiles of one share.
template <typename T>
class TilePooler {
 public:
  explicit TilePooler(const BevWork& work)
      : work_(work),
        depth_(static_cast<const T*>(work.arguments->inputs[0].data)),
        depths_(work.arguments->input<std::int32_t>(2).data()),
        pixels_(work.arguments->input<std::int32_t>(3).data()),
        offsets_(work.arguments->input<std::int32_t>(4).data()),
        y_(static_cast<T*>(work.arguments->outputs[0].data)),
        channels_(work.arguments->shape(1)[1]),
        padded_(padded_channels(channels_)),
        cells_(work.arguments->shape(4)[0] - 1) {}

  void run() const {
    const BevTiles& tiles = *work_.tiles;
    for (std::int64_t tile = work_.begin; tile < work_.end; ++tile) {
      const std::int64_t column = tile % tiles.across * kTileColumns;
      const std::int64_t columns = std::min(kTileColumns, tiles.columns - column);
      const std::int64_t top = tile / tiles.across * kTileRows;
      const std::int64_t rows = std::min(kTileRows, tiles.rows - top);
      const std::int64_t first = top * tiles.columns + column;
      for (std::int64_t strip = 0; strip < columns; strip += kStrip) {
        for (std::int64_t row = 0; row < rows; ++row) {
          const std::int64_t count = std::min(kStrip, columns - strip);
          pool(first + row * tiles.columns + strip, count, row * kTileColumns + strip);
        }
      }
      for (std::int64_t row = 0; row < rows; ++row) {
        write(row, first + row * tiles.columns, columns);
      }
    }
    if (past_the_cache_) hwy::FlushStream();
  }

 private:
  /// Columns of a tile that are pooled row by row before the next.
  static constexpr std::int64_t kStrip = 8;

  /// Cells [first, first + count) of one row of the plane, into places of the tile.
  void pool(std::int64_t first, std::int64_t count, std::int64_t place) const {
    const std::int32_t* offsets = offsets_ + first;
    // Here and not before all else: the pooling then finds the indices in the cache.
    if (!valid_points(*work_.arguments, offsets[0], offsets[count])) {
      check_points(*work_.arguments);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int32_t point = offsets[i];
      const BevCell<T> cell{depth_, depths_ + point, pixels_ + point, offsets[i + 1] - point};
      pool_cell(cell, work_.features, padded_, work_.tile + (place + i) * padded_);
    }
  }

  /// A row of the tile as cells [first, first + count) of every channel.
  void write(std::int64_t row, std::int64_t first, std::int64_t count) const {
    const float* from = work_.tile + row * kTileColumns * padded_;
    const bool whole = (first | cells_) % kSquare == 0;
    if (past_the_cache_ && whole) {
      transpose<true>(from, padded_, count, channels_, y_ + first, cells_);
    } else {
      transpose(from, padded_, count, channels_, y_ + first, cells_);
    }
  }

  const BevWork& work_;
  const T* depth_;
  const std::int32_t* depths_;
  const std::int32_t* pixels_;
  const std::int32_t* offsets_;
  T* y_;
  std::int64_t channels_;
  std::int64_t padded_;
  std::int64_t cells_;
  bool past_the_cache_ = std::is_same_v<T, float> &&
                         work_.arguments->outputs[0].bytes() >= kPastTheCache &&
                         reinterpret_cast<std::uintptr_t>(y_) % (kSquare * sizeof(float)) == 0;
};

void turn_pixels(const BevWork& work) {
  if (work.arguments->inputs[0].dtype == DType::kFloat32) {
    turn_pixels_of<float>(work);
  } else {
    turn_pixels_of<hwy::float16_t>(work);
  }
}

void pool_tiles(const BevWork& work) {
  if (work.arguments->inputs[0].dtype == DType::kFloat32) {
    TilePooler<float>(work).run();
  } else {
    TilePooler<hwy::float16_t>(work).run();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"
#include "ops/segment_reduce/op.hpp"

namespace plait::ops {
namespace {

constexpr std::int64_t kSharesAThread = 4;

/// Where a share begins, of so many items that cost the same.
std::int64_t even(std::int64_t items, std::int64_t share, std::int64_t shares) {
  return items * share / shares;
}

/// Points and cells in front of a tile.
std::int64_t cost_before(const BevTiles& tiles, std::span<const std::int32_t> offsets,
                         std::int64_t tile) {
  const std::int64_t top = tile / tiles.across * kTileRows;
  const std::int64_t column = tile % tiles.across * kTileColumns;
  const auto first = static_cast<std::size_t>(std::min(top, tiles.rows) * tiles.columns);
  std::int64_t cost = offsets[first] + static_cast<std::int64_t>(first);
  for (std::int64_t row = top; row < std::min(top + kTileRows, tiles.rows); ++row) {
    const auto start = static_cast<std::size_t>(row * tiles.columns);
    cost += offsets[start + static_cast<std::size_t>(column)] - offsets[start] + column;
  }
  return cost;
}

}  // namespace

std::size_t BevPool::scratch_bytes(std::span<const ConstTensorView> inputs, int threads) const {
  const Shape& context = inputs[1].shape;
  const std::int64_t rows_of_channels =
      context[0] * context[2] * context[3] + threads * kSharesAThread * kTileCells;
  return static_cast<std::size_t>(rows_of_channels * padded_channels(context[1])) * sizeof(float);
}

void BevPool::run_simd(const Arguments& arguments, Parallel& parallel) const {
  static const auto turn = PLAIT_SIMD_CHOOSE(turn_pixels);
  static const auto pool = PLAIT_SIMD_CHOOSE(pool_tiles);
  if (turn == nullptr) return run_scalar(arguments);
  const auto offsets = arguments.input<std::int32_t>(4);
  check_offsets(offsets, arguments.shape(2)[0], "operator BevPool");
  const Shape& context = arguments.shape(1);
  const std::int64_t pixels = context[0] * context[2] * context[3];
  const std::int64_t padded = padded_channels(context[1]);
  const std::int64_t cells = static_cast<std::int64_t>(offsets.size()) - 1;
  const std::int64_t points = arguments.shape(2)[0];
  const std::int64_t shares = parallel.threads() * kSharesAThread;
  const BevTiles tiles(cells, rows);
  auto* features = reinterpret_cast<float*>(arguments.scratch.data());
  const auto turn_share = [&](std::size_t share) {
    const auto s = static_cast<std::int64_t>(share);
    turn({&arguments, &tiles, features, nullptr, even(pixels, s, shares),
          even(pixels, s + 1, shares)});
  };
  parallel.run(static_cast<std::size_t>(shares), turn_share);
  // Tiles cost by their points and by their writing: shares of about as many of both.
  const auto first_of = [&](std::int64_t share) {
    const std::int64_t wanted = even(points + cells, share, shares);
    std::int64_t low = 0;
    std::int64_t high = tiles.count;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      const bool before = cost_before(tiles, offsets, middle) < wanted;
      (before ? low : high) = before ? middle + 1 : middle;
    }
    return low;
  };
  const auto pool_share = [&](std::size_t share) {
    const auto s = static_cast<std::int64_t>(share);
    float* tile = features + (pixels + s * kTileCells) * padded;
    pool({&arguments, &tiles, features, tile, first_of(s),
          s + 1 == shares ? tiles.count : first_of(s + 1)});
  };
  parallel.run(static_cast<std::size_t>(shares), pool_share);
}

}  // namespace plait::ops
#endif
