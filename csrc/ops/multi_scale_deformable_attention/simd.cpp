// multi_scale_deformable_attention/simd.cpp: corners of many points at once, then their sum.
//
// For one query and head, the four corners of all points are found a vector of points at a time;
// corners inside of their map are packed into a list of offsets and weights, and the list is summed
// with the channels in registers. Head after head, since one head's values fit a cache that all
// heads' together do not; and where each is read often enough, put behind one another first: a
// pixel's heads lie side by side, and at a step of 1 KiB a cache has room in few of its sets only.
#include <algorithm>
#include <array>

#include "ops/multi_scale_deformable_attention/op.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/multi_scale_deformable_attention/simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/simd-inl.hpp"

#ifndef PLAIT_DEFORMABLE_WORK
#define PLAIT_DEFORMABLE_WORK
namespace plait::ops {

/// Points of a query and head (levels x points), rounded up to the widest vector.
inline std::int64_t padded_points(const Shape& weights) {
  constexpr std::int64_t kMostFloats = 64;  // 2048 bits of a scalable vector
  return (weights[3] * weights[4] + kMostFloats - 1) / kMostFloats * kMostFloats;
}

/// How a call is shared out.
struct DeformablePlan {
  std::int64_t points;  ///< padded
  std::int64_t shares;
  bool gathers;               ///< whether a share puts a head's values behind one another first
  std::int64_t thread_words;  ///< of scratch, 4 bytes each

  DeformablePlan(const Shape& value, const Shape& weights, DType dtype, int threads);
  /// The share's first of all (batch, head, query), in this order.
  std::int64_t first_of(std::int64_t share, const Shape& weights) const {
    const std::int64_t lines = weights[0] * weights[2];
    // No head is split that would be gathered twice.
    if (gathers && lines >= shares) return lines * share / shares * weights[1];
    return lines * weights[1] * share / shares;
  }
};

/// What is the same for all queries, one value a point; then one thread's lists.
struct DeformableScratch {
  float* width;          // of the point's level
  float* height;         //
  std::int32_t* first;   // position of the level's pixel (0, 0)
  float* location;       // x y x y ...: a row of locations, where it has to be converted or padded
  float* weight;         // likewise
  std::int32_t* offset;  // of a corner's pixel, in elements; 4 lists behind one another
  float* factor;         // its weight
  void* values;          // one head's, position after position; nullptr where they are not gathered

  /// In 4-byte words: the shared part, and a thread's lists.
  static std::int64_t shared_words(std::int64_t points) { return 3 * points; }
  static std::int64_t list_words(std::int64_t points) { return (2 + 1 + 4 + 4) * points + 128; }

  DeformableScratch(std::byte* scratch, const DeformablePlan& plan, std::int64_t thread) {
    const std::int64_t points = plan.points;
    auto* words = reinterpret_cast<float*>(scratch);
    width = words;
    height = width + points;
    first = reinterpret_cast<std::int32_t*>(height + points);
    location = words + shared_words(points) + thread * plan.thread_words;
    weight = location + 2 * points;
    offset = reinterpret_cast<std::int32_t*>(weight + points);
    // A packing store writes whole vectors, up to 64 words past the last corner.
    factor = reinterpret_cast<float*>(offset + 4 * points + 64);
    values = plan.gathers ? location + list_words(points) : nullptr;
  }
};

/// Queries [begin, end) of one batch entry and head.
struct DeformableShare {
  const Arguments* arguments;
  DeformableScratch scratch;
  std::int64_t batch;
  std::int64_t head;
  std::int64_t begin;
  std::int64_t end;
};

}  // namespace plait::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

using Integers = hn::RebindToSigned<Floats>;

/// The corners of one query's points that lie inside of their maps. Returns their number.
std::size_t find_corners(const DeformableScratch& scratch, const float* location,
                         const float* weight, std::int64_t points, std::int32_t pixel_step) {
  const Floats d;
  const Integers di;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  const Vector one = hn::Set(d, 1.0F);
  const Vector half = hn::Set(d, 0.5F);
  std::size_t count = 0;
  for (std::int64_t p = 0; p < points; p += width) {
    Vector x;
    Vector y;
    hn::LoadInterleaved2(d, location + 2 * p, x, y);
    const Vector map_width = hn::LoadU(d, scratch.width + p);
    const Vector map_height = hn::LoadU(d, scratch.height + p);
    x = hn::Sub(hn::Mul(x, map_width), half);
    y = hn::Sub(hn::Mul(y, map_height), half);
    const Vector left = hn::Floor(x);
    const Vector top = hn::Floor(y);
    const Vector to_right = hn::Sub(x, left);
    const Vector to_bottom = hn::Sub(y, top);
    const auto minus = hn::Neg(one);
    // Comparisons with NaN are false.
    const auto near = hn::And(hn::And(hn::Gt(x, minus), hn::Lt(x, map_width)),
                              hn::And(hn::Gt(y, minus), hn::Lt(y, map_height)));
    const auto inside_left = hn::And(near, hn::Ge(left, hn::Zero(d)));
    const auto inside_right = hn::And(near, hn::Lt(hn::Add(left, one), map_width));
    const auto inside_top = hn::Ge(top, hn::Zero(d));
    const auto inside_bottom = hn::Lt(hn::Add(top, one), map_height);
    // Beyond the maps anything may come out: those lanes are not packed.
    const auto zero = hn::Zero(d);
    const auto column = hn::ConvertTo(di, hn::IfThenElse(near, left, zero));
    const auto row = hn::ConvertTo(di, hn::IfThenElse(near, top, zero));
    const auto row_step = hn::ConvertTo(di, map_width);
    const auto step = hn::Set(di, pixel_step);
    const auto pixel =
        hn::Add(hn::LoadU(di, scratch.first + p), hn::Add(hn::Mul(row, row_step), column));
    const auto upper_left = hn::Mul(pixel, step);
    const auto lower_left = hn::Add(upper_left, hn::Mul(row_step, step));
    const Vector weights = hn::LoadU(d, weight + p);
    const Vector lower = hn::Mul(weights, to_bottom);
    const Vector upper = hn::Sub(weights, lower);
    const auto pack = [&](auto inside, auto offset, Vector factor) HWY_ATTR {
      // Not CompressStore: AMD's processors pack into memory many times slower than into a
      // register.
      hn::StoreU(hn::Compress(offset, hn::RebindMask(di, inside)), di, scratch.offset + count);
      hn::StoreU(hn::Compress(factor, inside), d, scratch.factor + count);
      count += hn::CountTrue(d, inside);
    };
    const Vector upper_right = hn::Mul(upper, to_right);
    const Vector lower_right = hn::Mul(lower, to_right);
    pack(hn::And(inside_left, inside_top), upper_left, hn::Sub(upper, upper_right));
    pack(hn::And(inside_right, inside_top), hn::Add(upper_left, step), upper_right);
    pack(hn::And(inside_left, inside_bottom), lower_left, hn::Sub(lower, lower_right));
    pack(hn::And(inside_right, inside_bottom), hn::Add(lower_left, step), lower_right);
  }
  return count;
}

/// kVectors vectors of channels of the packed corners' sum.
template <int kVectors, typename T>
void sum_corners(const DeformableScratch& scratch, std::size_t count, const T* value, T* out) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  // Two sums for each vector hide the latency of an addition.
  Vector even[kVectors];
  Vector odd[kVectors];
  for (int v = 0; v < kVectors; ++v) even[v] = odd[v] = hn::Zero(d);
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    const T* a = value + scratch.offset[i];
    const T* b = value + scratch.offset[i + 1];
    const Vector of_a = hn::Set(d, scratch.factor[i]);
    const Vector of_b = hn::Set(d, scratch.factor[i + 1]);
    for (int v = 0; v < kVectors; ++v) {
      even[v] = hn::MulAdd(of_a, load(d, a + v * width), even[v]);
      odd[v] = hn::MulAdd(of_b, load(d, b + v * width), odd[v]);
    }
  }
  if (i < count) {
    const Vector factor = hn::Set(d, scratch.factor[i]);
    for (int v = 0; v < kVectors; ++v) {
      even[v] = hn::MulAdd(factor, load(d, value + scratch.offset[i] + v * width), even[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) store(d, hn::Add(even[v], odd[v]), out + v * width);
}

/// Fewer channels than a vector.
template <typename T>
void sum_some(const DeformableScratch& scratch, std::size_t count, const T* value, T* out,
              std::size_t channels) {
  const Floats d;
  Vector sum = hn::Zero(d);
  for (std::size_t i = 0; i < count; ++i) {
    sum = hn::MulAdd(hn::Set(d, scratch.factor[i]),
                     load_some(d, value + scratch.offset[i], channels), sum);
  }
  store_some(d, sum, out, channels);
}

template <typename T>
void sum_all(const DeformableScratch& scratch, std::size_t count, const T* value, T* out,
             std::int64_t channels) {
  const auto width = static_cast<std::int64_t>(hn::Lanes(Floats()));
  std::int64_t c = 0;
  for (; c + 4 * width <= channels; c += 4 * width) {
    sum_corners<4>(scratch, count, value + c, out + c);
  }
  for (; c + 2 * width <= channels; c += 2 * width) {
    sum_corners<2>(scratch, count, value + c, out + c);
  }
  for (; c + width <= channels; c += width) sum_corners<1>(scratch, count, value + c, out + c);
  if (c < channels) {
    sum_some(scratch, count, value + c, out + c, static_cast<std::size_t>(channels - c));
  }
}

inline const float* as_floats(const float* row, std::int64_t count, std::int64_t padded,
                              float* buffer) {
  if (count == padded) return row;
  std::copy_n(row, count, buffer);
  return buffer;
}
inline const float* as_floats(const hwy::float16_t* row, std::int64_t count, std::int64_t,
                              float* buffer) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + width <= count; i += width) hn::StoreU(load(d, row + i), d, buffer + i);
  if (i < count) {
    const auto rest = static_cast<std::size_t>(count - i);
    store_some(d, load_some(d, row + i, rest), buffer + i, rest);
  }
  return buffer;
}

template <typename T>
void attend_share_of(const DeformableShare& share) {
  const Arguments& arguments = *share.arguments;
  const Shape& value = arguments.shape(0);
  const Shape& weights = arguments.shape(3);
  const std::int64_t heads = value[2];
  const std::int64_t channels = value[3];
  const std::int64_t points = weights[3] * weights[4];
  const auto width = static_cast<std::int64_t>(hn::Lanes(Floats()));
  const std::int64_t padded = (points + width - 1) / width * width;
  const T* maps = static_cast<const T*>(arguments.inputs[0].data) +
                  (share.batch * value[1] * heads + share.head) * channels;
  const auto* locations = static_cast<const T*>(arguments.inputs[2].data);
  const auto* factors = static_cast<const T*>(arguments.inputs[3].data);
  auto* y = static_cast<T*>(arguments.outputs[0].data);
  std::int64_t pixel_step = heads * channels;
  if (share.scratch.values != nullptr) {
    T* gathered = static_cast<T*>(share.scratch.values);
    for (std::int64_t i = 0; i < value[1]; ++i) {
      std::copy_n(maps + i * pixel_step, channels, gathered + i * channels);
    }
    maps = gathered;
    pixel_step = channels;
  }
  // Points that only fill up a vector lie outside: their width is 0.
  std::fill_n(share.scratch.location, 2 * padded, 0.0F);
  std::fill_n(share.scratch.weight, padded, 0.0F);
  for (std::int64_t q = share.begin; q < share.end; ++q) {
    const std::int64_t row = (share.batch * weights[1] + q) * heads + share.head;
    const float* location =
        as_floats(locations + row * points * 2, points * 2, padded * 2, share.scratch.location);
    const float* weight = as_floats(factors + row * points, points, padded, share.scratch.weight);
    const std::size_t count = find_corners(share.scratch, location, weight, padded,
                                           static_cast<std::int32_t>(pixel_step));
    sum_all(share.scratch, count, maps, y + row * channels, channels);
  }
}

void attend_share(const DeformableShare& share) {
  if (share.arguments->inputs[0].dtype == DType::kFloat32) {
    attend_share_of<float>(share);
  } else {
    attend_share_of<hwy::float16_t>(share);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {
namespace {

/// Corners a position from which gathering a head's values pays.
constexpr std::int64_t kGatherReuse = 2;
/// Corners a position that a share has at least, where shares split a head and gather it each.
constexpr std::int64_t kShareReuse = 8;

/// Fills what is the same for all queries.
void share_levels(const Arguments& arguments, const DeformableScratch& shared,
                  std::int64_t points) {
  const Shape& weights = arguments.shape(3);
  const auto shapes = arguments.input<std::int32_t>(1);
  std::fill_n(shared.width, 2 * points, 0.0F);
  std::fill_n(shared.first, points, 0);
  std::int32_t first = 0;
  for (std::int64_t level = 0; level < weights[3]; ++level) {
    const std::int32_t height = shapes[static_cast<std::size_t>(2 * level)];
    const std::int32_t width = shapes[static_cast<std::size_t>(2 * level + 1)];
    const std::int64_t at = level * weights[4];
    std::fill_n(shared.width + at, weights[4], static_cast<float>(width));
    std::fill_n(shared.height + at, weights[4], static_cast<float>(height));
    std::fill_n(shared.first + at, weights[4], first);
    first += height * width;
  }
}

}  // namespace

DeformablePlan::DeformablePlan(const Shape& value, const Shape& weights, DType dtype, int threads)
    : points(padded_points(weights)),
      gathers(false),
      thread_words(DeformableScratch::list_words(points)) {
  const std::int64_t lines = weights[0] * weights[2];
  const std::int64_t corners = 4 * weights[1] * weights[3] * weights[4];
  gathers = weights[2] > 1 && lines > 0 && value[1] > 0 && corners >= kGatherReuse * value[1];
  if (gathers) {
    const std::int64_t most = std::max<std::int64_t>(corners / (kShareReuse * value[1]), 1);
    const std::int64_t wanted = (threads + lines - 1) / lines;
    shares = threads < lines ? threads : lines * std::min(most, wanted);
    const std::int64_t bytes = value[1] * value[3] * static_cast<std::int64_t>(size_of(dtype));
    thread_words += (bytes + 63) / 64 * 16;
  } else {
    shares = std::clamp<std::int64_t>(std::int64_t{4} * threads, 1,
                                      std::max<std::int64_t>(lines * weights[1], 1));
  }
}

std::size_t MultiScaleDeformableAttention::scratch_bytes(std::span<const ConstTensorView> inputs,
                                                         int threads) const {
  const DeformablePlan plan(inputs[0].shape, inputs[3].shape, inputs[0].dtype, threads);
  const std::int64_t words =
      DeformableScratch::shared_words(plan.points) + plan.shares * plan.thread_words;
  return static_cast<std::size_t>(words) * sizeof(float);
}

void MultiScaleDeformableAttention::run_simd(const Arguments& arguments, Parallel& parallel) const {
  static const auto attend = PLAIT_SIMD_CHOOSE(attend_share);
  if (attend == nullptr) return run_scalar(arguments);
  check_levels(arguments);
  const Shape& weights = arguments.shape(3);
  const DeformablePlan plan(arguments.shape(0), weights, arguments.inputs[0].dtype,
                            parallel.threads());
  share_levels(arguments, DeformableScratch(arguments.scratch.data(), plan, 0), plan.points);
  // A share is a range of all (batch, head, query); each begins where another one ends.
  const std::int64_t queries = weights[1];
  const auto attend_range = [&](std::size_t index) {
    const auto share = static_cast<std::int64_t>(index);
    const std::int64_t end = plan.first_of(share + 1, weights);
    for (std::int64_t i = plan.first_of(share, weights); i < end;) {
      const std::int64_t line = i / queries;
      const std::int64_t until = std::min(end, (line + 1) * queries);
      attend({&arguments, DeformableScratch(arguments.scratch.data(), plan, share),
              line / weights[2], line % weights[2], i - line * queries, until - line * queries});
      i = until;
    }
  };
  parallel.run(static_cast<std::size_t>(plan.shares), attend_range);
}

}  // namespace plait::ops
#endif
