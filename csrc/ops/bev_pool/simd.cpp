// bev_pool/simd.cpp: features with channels last, a cell's channels in registers, then a transpose.
#include <algorithm>
#include <bit>

#include "base/half.hpp"
#include "ops/bev_pool/op.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/bev_pool/simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/simd-inl.hpp"

#ifndef PLAIT_BEV_POOL_WORK
#define PLAIT_BEV_POOL_WORK
namespace plait::ops {

/// Cells whose sums wait, channels last, for being written as rows of the output.
inline constexpr std::int64_t kTileCells = 64;
/// Channels are padded to whole vectors of any target.
inline std::int64_t padded_channels(std::int64_t channels) { return (channels + 15) / 16 * 16; }

/// One share: pixels to turn [begin, end), or cells to pool [begin, end).
struct BevWork {
  const Arguments* arguments;
  float* features;  // [cameras x height x width, padded channels]
  float* tile;      // [kTileCells, padded channels]
  std::int64_t begin;
  std::int64_t end;
};

}  // namespace plait::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

inline float to_float(float value) { return value; }
inline float to_float(hwy::float16_t value) {
  return detail::float_of_half(std::bit_cast<std::uint16_t>(value));
}

/// context [camera][channel][pixel] -> features [camera x pixel][channel], a block of pixels at a
/// time so that both sides stay in the cache.
template <typename T>
void turn_pixels_of(const BevWork& work) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const Shape& shape = work.arguments->shape(1);
  const std::int64_t channels = shape[1];
  const std::int64_t plane = shape[2] * shape[3];
  const std::int64_t padded = padded_channels(channels);
  const T* context = static_cast<const T*>(work.arguments->inputs[1].data);
  HWY_ALIGN float lanes[kMostLanes];
  for (std::int64_t pixel = work.begin; pixel < work.end;) {
    const std::int64_t camera = pixel / plane;
    const std::int64_t until = std::min({pixel + width, work.end, (camera + 1) * plane});
    const T* source = context + camera * channels * plane + (pixel - camera * plane);
    float* target = work.features + pixel * padded;
    const std::int64_t count = until - pixel;
    for (std::int64_t c = 0; c < channels; ++c, source += plane) {
      if (count == width) {
        hn::Store(load(d, source), d, lanes);
      } else {
        for (std::int64_t i = 0; i < count; ++i) lanes[i] = to_float(source[i]);
      }
      for (std::int64_t i = 0; i < count; ++i) target[i * padded + c] = lanes[i];
    }
    for (std::int64_t i = 0; i < count; ++i) {
      std::fill(target + i * padded + channels, target + (i + 1) * padded, 0.0F);
    }
    pixel = until;
  }
}

/// kVectors vectors of channels of one cell's sum.
template <int kVectors, typename T>
void pool_block(const T* depth, const float* features, const std::int32_t* depths,
                const std::int32_t* pixels, std::int64_t points, std::int64_t padded, float* out) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  Vector sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  for (std::int64_t i = 0; i < points; ++i) {
    const Vector weight = hn::Set(d, to_float(depth[depths[i]]));
    const float* row = features + pixels[i] * padded;
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = hn::MulAdd(weight, hn::LoadU(d, row + v * width), sums[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, out + v * width);
}

template <typename T>
void pool_cell(const BevWork& work, std::int64_t cell, std::int64_t padded, float* out) {
  const auto width = static_cast<std::int64_t>(hn::Lanes(Floats()));
  const auto offsets = work.arguments->input<std::int32_t>(4);
  const std::int32_t first = offsets[static_cast<std::size_t>(cell)];
  const std::int64_t points = offsets[static_cast<std::size_t>(cell) + 1] - first;
  const T* depth = static_cast<const T*>(work.arguments->inputs[0].data);
  const std::int32_t* depths = work.arguments->input<std::int32_t>(2).data() + first;
  const std::int32_t* pixels = work.arguments->input<std::int32_t>(3).data() + first;
  std::int64_t c = 0;
  const auto blocks = [&]<int kVectors>() HWY_ATTR {
    for (; c + kVectors * width <= padded; c += kVectors * width) {
      pool_block<kVectors>(depth, work.features + c, depths, pixels, points, padded, out + c);
    }
  };
  blocks.template operator()<8>();
  blocks.template operator()<4>();
  blocks.template operator()<2>();
  blocks.template operator()<1>();
}

template <typename T>
void pool_cells_of(const BevWork& work) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t channels = work.arguments->shape(1)[1];
  const std::int64_t padded = padded_channels(channels);
  const std::int64_t cells = work.arguments->shape(4)[0] - 1;
  T* y = static_cast<T*>(work.arguments->outputs[0].data);
  HWY_ALIGN float lanes[kMostLanes];
  for (std::int64_t begin = work.begin; begin < work.end; begin += kTileCells) {
    const std::int64_t count = std::min(kTileCells, work.end - begin);
    for (std::int64_t i = 0; i < count; ++i) {
      pool_cell<T>(work, begin + i, padded, work.tile + i * padded);
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      T* row = y + c * cells + begin;
      for (std::int64_t i = 0; i < count; i += width) {
        const std::int64_t some = std::min(width, count - i);
        for (std::int64_t j = 0; j < some; ++j) lanes[j] = work.tile[(i + j) * padded + c];
        const Vector values = hn::Load(d, lanes);
        if (some == width) {
          store(d, values, row + i);
        } else {
          store_some(d, values, row + i, static_cast<std::size_t>(some));
        }
      }
    }
  }
}

void turn_pixels(const BevWork& work) {
  if (work.arguments->inputs[0].dtype == DType::kFloat32) {
    turn_pixels_of<float>(work);
  } else {
    turn_pixels_of<hwy::float16_t>(work);
  }
}

void pool_cells(const BevWork& work) {
  if (work.arguments->inputs[0].dtype == DType::kFloat32) {
    pool_cells_of<float>(work);
  } else {
    pool_cells_of<hwy::float16_t>(work);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {
namespace {

constexpr std::int64_t kSharesAThread = 4;

/// Where a share begins, of so many items that cost the same.
std::int64_t even(std::int64_t items, std::int64_t share, std::int64_t shares) {
  return items * share / shares;
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
  static const auto pool = PLAIT_SIMD_CHOOSE(pool_cells);
  if (turn == nullptr) return run_scalar(arguments);
  check_points(arguments);
  const Shape& context = arguments.shape(1);
  const std::int64_t pixels = context[0] * context[2] * context[3];
  const std::int64_t padded = padded_channels(context[1]);
  const auto offsets = arguments.input<std::int32_t>(4);
  const std::int64_t cells = static_cast<std::int64_t>(offsets.size()) - 1;
  const std::int64_t points = arguments.shape(2)[0];
  const std::int64_t shares = parallel.threads() * kSharesAThread;
  auto* features = reinterpret_cast<float*>(arguments.scratch.data());
  const auto turn_share = [&](std::size_t share) {
    const auto s = static_cast<std::int64_t>(share);
    turn({&arguments, features, nullptr, even(pixels, s, shares), even(pixels, s + 1, shares)});
  };
  parallel.run(static_cast<std::size_t>(shares), turn_share);
  // Cells cost by their points and by their writing: shares of about as many of both.
  const auto first_of = [&](std::int64_t share) {
    const std::int64_t wanted = even(points + cells, share, shares);
    std::int64_t low = 0;
    std::int64_t high = cells;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      const bool before = offsets[static_cast<std::size_t>(middle)] + middle < wanted;
      (before ? low : high) = before ? middle + 1 : middle;
    }
    return low;
  };
  const auto pool_share = [&](std::size_t share) {
    const auto s = static_cast<std::int64_t>(share);
    float* tile = features + (pixels + s * kTileCells) * padded;
    pool({&arguments, features, tile, first_of(s), s + 1 == shares ? cells : first_of(s + 1)});
  };
  parallel.run(static_cast<std::size_t>(shares), pool_share);
}

}  // namespace plait::ops
#endif
