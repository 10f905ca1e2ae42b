// frame_weights.cpp: the filters, and their weights in float64, Pillow's integers and ours.
#include "preprocess/frame_weights.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plait::detail {
namespace {

double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double bilinear(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

struct Filter {
  double (*weight)(double);
  double support;
};

Filter filter_of(FrameFilter filter) {
  switch (filter) {
    case FrameFilter::kBox:
      return {&box, 0.5};
    case FrameFilter::kBicubic:
      return {&bicubic, 2.0};
    case FrameFilter::kLanczos:
      return {&lanczos, 3.0};
    default:
      return {&bilinear, 1.0};
  }
}

/// The same taps with room for weights of another type.
template <typename T, typename From>
AxisTaps<T> same_shape(const AxisTaps<From>& taps) {
  return {taps.widest, taps.firsts, taps.counts, std::vector<T>(taps.weights.size())};
}

}  // namespace

template <typename T>
std::int64_t AxisTaps<T>::begin() const noexcept {
  return *std::min_element(firsts.begin(), firsts.end());
}

template <typename T>
std::int64_t AxisTaps<T>::end() const noexcept {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < firsts.size(); ++i) last = std::max(last, firsts[i] + counts[i]);
  return last;
}

template struct AxisTaps<double>;
template struct AxisTaps<std::int32_t>;
template struct AxisTaps<std::int16_t>;

AxisTaps<double> filter_taps(const AxisRule& rule) {
  const Filter filter = filter_of(rule.filter);
  const double scale = static_cast<double>(rule.input) / static_cast<double>(rule.output);
  const double width = rule.antialias ? std::max(scale, 1.0) : 1.0;
  const double support = filter.support * width;
  const double inverse_width = 1.0 / width;
  AxisTaps<double> taps;
  taps.widest = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  taps.weights.resize(static_cast<std::size_t>(taps.widest * rule.count));
  for (std::int64_t i = 0; i < rule.count; ++i) {
    // Operations in Pillow's order: weights must round as its do.
    const double centre = (static_cast<double>(rule.first + i) + 0.5) * scale;
    // Truncation after adding a half, not rounding: so Pillow has it.
    // NOLINTBEGIN(bugprone-incorrect-roundings)
    auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
    const auto end = std::min(rule.input, static_cast<std::int64_t>(centre + support + 0.5));
    // NOLINTEND(bugprone-incorrect-roundings)
    std::int64_t count = end - first;
    double* weights = taps.weights.data() + i * taps.widest;
    double sum = 0.0;
    for (std::int64_t k = 0; k < count; ++k) {
      weights[k] = filter.weight((static_cast<double>(k + first) - centre + 0.5) * inverse_width);
      sum += weights[k];
    }
    if (count < 1 || sum == 0.0) {
      // A box narrower than a pixel can miss every centre: the pixel it lies in is meant.
      first = std::min(rule.input - 1, static_cast<std::int64_t>(centre));
      count = 1;
      weights[0] = sum = 1.0;
    }
    for (std::int64_t k = 0; k < count; ++k) weights[k] /= sum;
    taps.firsts.push_back(first);
    taps.counts.push_back(count);
  }
  return taps;
}

AxisTaps<double> fold_pairs(const AxisTaps<double>& taps) {
  AxisTaps<double> folded;
  folded.widest = taps.widest / 2 + 1;
  folded.weights.resize(taps.firsts.size() * static_cast<std::size_t>(folded.widest));
  for (std::int64_t i = 0; i < taps.outputs(); ++i) {
    const std::int64_t first = taps.firsts[static_cast<std::size_t>(i)];
    const std::int64_t count = taps.counts[static_cast<std::size_t>(i)];
    double* weights = folded.weights.data() + i * folded.widest;
    for (std::int64_t k = 0; k < count; ++k) {
      weights[(first + k) / 2 - first / 2] += taps.row(i)[k];
    }
    folded.firsts.push_back(first / 2);
    folded.counts.push_back((first + count - 1) / 2 - first / 2 + 1);
  }
  return folded;
}

AxisTaps<std::int32_t> exact_taps(const AxisTaps<double>& taps) {
  auto exact = same_shape<std::int32_t>(taps);
  for (std::size_t i = 0; i < taps.weights.size(); ++i) {
    const double scaled = taps.weights[i] * (1 << kExactBits);
    exact.weights[i] = static_cast<std::int32_t>(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
  }
  return exact;
}

FastTaps fast_taps(const AxisTaps<double>& taps, int max_bits) {
  double largest = 0.0;
  for (const double weight : taps.weights) largest = std::max(largest, std::abs(weight));
  FastTaps fast{same_shape<std::int16_t>(taps), 0};
  // One below the type's limit: spreading the rounding may move a weight by one.
  while (fast.bits < max_bits && largest * std::exp2(fast.bits + 1) < 32766.0) ++fast.bits;
  const double one = std::exp2(fast.bits);
  for (std::int64_t i = 0; i < taps.outputs(); ++i) {
    // Rounding the running sum, not each weight, keeps the sum exact: flat areas stay flat.
    double running = 0.0;
    double before = 0.0;
    for (std::int64_t k = 0; k < taps.counts[static_cast<std::size_t>(i)]; ++k) {
      running += taps.row(i)[k] * one;
      const double rounded = std::nearbyint(running);
      fast.taps.weights[static_cast<std::size_t>(i * taps.widest + k)] =
          static_cast<std::int16_t>(rounded - before);
      before = rounded;
    }
  }
  return fast;
}

std::vector<std::int64_t> nearest_inputs(const AxisRule& rule) {
  const double scale = static_cast<double>(rule.input) / static_cast<double>(rule.output);
  std::vector<std::int64_t> inputs;
  inputs.reserve(static_cast<std::size_t>(rule.count));
  double position = scale * 0.5;
  for (std::int64_t i = 0; i < rule.first + rule.count; ++i) {
    if (i >= rule.first) {
      inputs.push_back(std::min(rule.input - 1, static_cast<std::int64_t>(position)));
    }
    position += scale;
  }
  return inputs;
}

}  // namespace plait::detail
