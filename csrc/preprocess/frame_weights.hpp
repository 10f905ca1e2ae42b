// frame_weights.hpp: which pixels make an output pixel, and how much each counts.
#pragma once

#include <cstdint>
#include <vector>

#include "plait/manifest.hpp"

namespace plait::detail {

/// One axis of a resize: the whole input and output lengths, and the outputs that are wanted.
struct AxisRule {
  FrameFilter filter = FrameFilter::kBilinear;
  bool antialias = true;
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Output i is the sum over k < counts[i] of weights[i * widest + k] * input[firsts[i] + k].
/// Rows of weights are padded with zeros.
template <typename T>
struct AxisTaps {
  std::int64_t widest = 0;
  std::vector<std::int64_t> firsts;
  std::vector<std::int64_t> counts;
  std::vector<T> weights;

  std::int64_t outputs() const noexcept { return static_cast<std::int64_t>(firsts.size()); }
  /// First and one past the last input that any output reads.
  std::int64_t begin() const noexcept;
  std::int64_t end() const noexcept;
  const T* row(std::int64_t output) const noexcept { return weights.data() + output * widest; }
};

/// Pillow's weights: centres at (i + 0.5) * input / output, the filter widened by the reduction
/// where antialias is set, cut at the borders, and scaled to a sum of 1. Not for kNearest.
AxisTaps<double> filter_taps(const AxisRule& rule);

/// Taps on samples of half the resolution that give what the given taps give on those samples
/// repeated twice (nearest upsampling). Inputs begin at an even position.
AxisTaps<double> fold_pairs(const AxisTaps<double>& taps);

/// Pillow's 8-bit weights: rounded to 22 bits behind the point, halves away from zero.
inline constexpr int kExactBits = 22;
AxisTaps<std::int32_t> exact_taps(const AxisTaps<double>& taps);

/// 16-bit weights times 2^bits; each row's sum is exactly 2^bits.
struct FastTaps {
  AxisTaps<std::int16_t> taps;
  int bits = 0;
};
/// As many bits as the largest weight leaves room for, at most max_bits.
FastTaps fast_taps(const AxisTaps<double>& taps, int max_bits);

/// The input of each output under Pillow's NEAREST, which accumulates its positions in float64.
std::vector<std::int64_t> nearest_inputs(const AxisRule& rule);

}  // namespace plait::detail
