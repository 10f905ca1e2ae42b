// sound_resampler.cpp: the windowed sinc's weights, and which samples an output needs.
#include "preprocess/sound_resampler.hpp"

#include <cmath>
#include <numbers>
#include <numeric>

namespace plait::detail {
namespace {

/// Modified Bessel function of the first kind and order 0, by its power series.
double bessel_i0(double x) {
  const double quarter = x * x / 4.0;
  double term = 1.0;
  double sum = 1.0;
  for (double k = 1.0; term > sum * 1e-17; k += 1.0) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  return std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

double cutoff_of(std::int64_t up, std::int64_t down, const ResamplerRule& rule) {
  return rule.rolloff * std::min(1.0, static_cast<double>(up) / static_cast<double>(down));
}

std::int64_t reach_of(double cutoff, const ResamplerRule& rule) {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(rule.zeros) / cutoff));
}

std::int64_t taps_of(std::int64_t reach) {
  const std::int64_t taps = 2 * reach + 1;
  return (taps + kResampleLanes - 1) / kResampleLanes * kResampleLanes;
}

}  // namespace

std::int64_t ResamplerTable::inputs_before(std::int64_t output) const noexcept {
  return output == 0 ? 0 : (output - 1) * down / up - before + taps;
}

std::int64_t resampler_weights(std::int64_t in_hz, std::int64_t out_hz, const ResamplerRule& rule) {
  const std::int64_t divisor = std::gcd(in_hz, out_hz);
  const std::int64_t up = out_hz / divisor;
  return up * taps_of(reach_of(cutoff_of(up, in_hz / divisor, rule), rule));
}

std::unique_ptr<ResamplerTable> make_resampler_table(std::int64_t in_hz, std::int64_t out_hz,
                                                     const ResamplerRule& rule) {
  auto table = std::make_unique<ResamplerTable>();
  const std::int64_t divisor = std::gcd(in_hz, out_hz);
  table->in_hz = in_hz;
  table->up = out_hz / divisor;
  table->down = in_hz / divisor;
  const double cutoff = cutoff_of(table->up, table->down, rule);
  table->before = reach_of(cutoff, rule);
  table->taps = taps_of(table->before);
  table->weights.resize(static_cast<std::size_t>(table->up * table->taps));
  const auto zeros = static_cast<double>(rule.zeros);
  const double norm = cutoff / bessel_i0(rule.beta);
  double* weight = table->weights.data();
  for (std::int64_t phase = 0; phase < table->up; ++phase) {
    for (std::int64_t k = 0; k < table->taps; ++k, ++weight) {
      // (before - k) up + phase is exact, so that opposite phases mirror each other.
      const std::int64_t distance = (table->before - k) * table->up + phase;
      const double place = static_cast<double>(distance) / static_cast<double>(table->up) * cutoff;
      if (std::abs(place) >= zeros) continue;
      const double part = place / zeros;
      *weight = norm * sinc(place) * bessel_i0(rule.beta * std::sqrt(1.0 - part * part));
    }
  }
  return table;
}

std::int64_t Resampler::begin(const ResamplerTable& table, std::int64_t first) {
  table_ = &table;
  next_ = first;
  last_ = -1;
  const std::int64_t begin = first * table.down / table.up - table.before;
  queue_.restart(begin);
  if (begin < 0) queue_.append_zeros(-begin);
  return std::max<std::int64_t>(begin, 0);
}

void Resampler::finish() {
  last_ = table_->outputs(queue_.end());
  queue_.append_zeros(table_->taps);
}

std::int64_t Resampler::ready() const noexcept {
  if (last_ >= 0) return std::max<std::int64_t>(last_ - next_, 0);
  // The last weight that is not padding is of the sample `before` behind the output's place.
  const std::int64_t behind = queue_.end() - 1 - table_->before;
  if (behind < 0) return 0;
  // The last output whose place, rounded down, is not behind that sample.
  const std::int64_t last = ((behind + 1) * table_->up - 1) / table_->down;
  return std::max<std::int64_t>(last + 1 - next_, 0);
}

void Resampler::take(std::span<double> out) {
  const auto count = static_cast<std::int64_t>(out.size());
  const std::int64_t place = next_ * table_->down;
  const std::int64_t position = place / table_->up;
  kernels_->resample({.input = queue_.at(position - table_->before),
                      .weights = table_->weights.data(),
                      .taps = table_->taps,
                      .phases = table_->up,
                      .position = 0,
                      .phase = place % table_->up,
                      .position_step = table_->down / table_->up,
                      .phase_step = table_->down % table_->up,
                      .count = count,
                      .out = out.data()});
  next_ += count;
  queue_.drop_before(next_ * table_->down / table_->up - table_->before);
}

}  // namespace plait::detail
