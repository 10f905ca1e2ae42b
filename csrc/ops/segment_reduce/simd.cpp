// segment_reduce/simd.cpp: a block of channels in registers, the segment's rows through it.
#include <algorithm>

#include "ops/segment_reduce/op.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/segment_reduce/simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "ops/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace plait::ops {
namespace HWY_NAMESPACE {

/// One segment of any element type.
template <typename T>
struct Segment {
  const T* values;  // of its first row
  std::int64_t rows;
  std::int64_t channels;
  SegmentReduce::Kind kind;
  T* out;
};

/// kVectors vectors of channels from channel c on; count lanes of them where some is set.
template <int kVectors, bool kSome, typename T>
void reduce_block(const Segment<T>& segment, std::int64_t c, std::size_t count) {
  const Floats d;
  const auto width = static_cast<std::int64_t>(hn::Lanes(d));
  Vector sums[kVectors];
  const T* row = segment.values + c;
  const auto at = [&](const T* p) HWY_ATTR {
    if constexpr (kSome) return load_some(d, p, count);
    return load(d, p);
  };
  for (int v = 0; v < kVectors; ++v) {
    sums[v] = segment.rows > 0 ? at(row + v * width) : hn::Zero(d);
  }
  if (segment.kind == SegmentReduce::Kind::kMax) {
    for (std::int64_t r = 1; r < segment.rows; ++r) {
      row += segment.channels;
      for (int v = 0; v < kVectors; ++v) {
        const Vector value = at(row + v * width);
        // Not Max, which may drop a NaN.
        const auto keep = hn::Or(hn::Ge(sums[v], value), hn::IsNaN(sums[v]));
        sums[v] = hn::IfThenElse(keep, sums[v], value);
      }
    }
  } else {
    for (std::int64_t r = 1; r < segment.rows; ++r) {
      row += segment.channels;
      for (int v = 0; v < kVectors; ++v) sums[v] = hn::Add(sums[v], at(row + v * width));
    }
    if (segment.kind == SegmentReduce::Kind::kMean && segment.rows > 0) {
      const Vector divisor = hn::Set(d, static_cast<float>(segment.rows));
      for (int v = 0; v < kVectors; ++v) sums[v] = hn::Div(sums[v], divisor);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    if constexpr (kSome) {
      store_some(d, sums[v], segment.out + c, count);
    } else {
      store(d, sums[v], segment.out + c + v * width);
    }
  }
}

template <typename T>
void reduce_segment(const Segment<T>& segment) {
  const auto width = static_cast<std::int64_t>(hn::Lanes(Floats()));
  std::int64_t c = 0;
  for (; c + 4 * width <= segment.channels; c += 4 * width) reduce_block<4, false>(segment, c, 0);
  for (; c + width <= segment.channels; c += width) reduce_block<1, false>(segment, c, 0);
  const auto rest = static_cast<std::size_t>(segment.channels - c);
  if (rest > 0) reduce_block<1, true>(segment, c, rest);
}

template <typename T>
void reduce_segments_of(const Arguments& arguments, SegmentReduce::Kind kind, std::int64_t begin,
                        std::int64_t end) {
  const auto* values = static_cast<const T*>(arguments.inputs[0].data);
  const auto offsets = arguments.input<std::int32_t>(1);
  const std::int64_t channels = arguments.shape(0)[1];
  auto* y = static_cast<T*>(arguments.outputs[0].data);
  for (std::int64_t s = begin; s < end; ++s) {
    const std::int64_t first = offsets[static_cast<std::size_t>(s)];
    const std::int64_t rows = offsets[static_cast<std::size_t>(s) + 1] - first;
    reduce_segment<T>({values + first * channels, rows, channels, kind, y + s * channels});
  }
}

void reduce_segments(const Arguments& arguments, SegmentReduce::Kind kind, std::int64_t begin,
                     std::int64_t end) {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    reduce_segments_of<float>(arguments, kind, begin, end);
  } else {
    reduce_segments_of<hwy::float16_t>(arguments, kind, begin, end);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace plait::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/simd_dispatch.hpp"

namespace plait::ops {

void SegmentReduce::run_simd(const Arguments& arguments, Parallel& parallel) const {
  static const auto reduce = PLAIT_SIMD_CHOOSE(reduce_segments);
  if (reduce == nullptr) return run_scalar(arguments);
  const auto offsets = arguments.input<std::int32_t>(1);
  check_offsets(offsets, arguments.shape(0)[0], "operator SegmentReduce");
  // Shares of about as many rows, and a few for each thread, since rows are what takes time.
  const auto segments = static_cast<std::int64_t>(offsets.size()) - 1;
  const std::int64_t rows = arguments.shape(0)[0];
  const std::int64_t shares = parallel.threads() == 1 ? 1 : parallel.threads() * std::int64_t{4};
  const auto first_of = [&](std::int64_t share) -> std::int64_t {
    if (share == 0) return 0;
    if (share == shares) return segments;
    const auto row = static_cast<std::int32_t>(rows * share / shares);
    const auto found = std::lower_bound(offsets.begin(), offsets.end() - 1, row);
    return found - offsets.begin();
  };
  const auto reduce_share = [&](std::size_t share) {
    const auto s = static_cast<std::int64_t>(share);
    reduce(arguments, kind, first_of(s), first_of(s + 1));
  };
  parallel.run(static_cast<std::size_t>(shares), reduce_share);
}

}  // namespace plait::ops
#endif
