// sound_tables.cpp: the formulas of windows, mel scales and cosines, in double precision.
#include "preprocess/sound_tables.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plait::detail {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kPoveyPower = 0.85;
constexpr double kHtkFactor = 2595.0 / std::numbers::ln10;
constexpr double kHtkBreakHz = 700.0;
// Slaney's scale bends at 1000 Hz, which is 15 mel; above, 27 mel are a factor of 6.4.
constexpr double kSlaneyBreakHz = 1000.0;
constexpr double kSlaneyBreakMel = 15.0;
constexpr double kSlaneyMelPerHz = 3.0 / 200.0;

double slaney_step() { return std::log(6.4) / 27.0; }

double to_mel(MelScale scale, double hertz) {
  if (scale != MelScale::kSlaney) return kHtkFactor * std::log1p(hertz / kHtkBreakHz);
  if (hertz < kSlaneyBreakHz) return hertz * kSlaneyMelPerHz;
  return kSlaneyBreakMel + std::log(hertz / kSlaneyBreakHz) / slaney_step();
}

double to_hertz(MelScale scale, double mel) {
  if (scale != MelScale::kSlaney) return kHtkBreakHz * std::expm1(mel / kHtkFactor);
  if (mel < kSlaneyBreakMel) return mel / kSlaneyMelPerHz;
  return kSlaneyBreakHz * std::exp((mel - kSlaneyBreakMel) * slaney_step());
}

double log_scale(const MelDescription& mel) {
  switch (mel.logarithm) {
    case SoundLogarithm::kTen:
      return 1.0 / std::numbers::ln10;
    case SoundLogarithm::kDecibels:
      return (mel.magnitude ? 20.0 : 10.0) / std::numbers::ln10;
    default:
      return 1.0;
  }
}

}  // namespace

std::int64_t first_frame_of(const MelDescription& mel) noexcept {
  switch (mel.edges) {
    case SoundEdges::kSnip:
      return 0;
    case SoundEdges::kKaldi:
      return mel.step / 2 - mel.length / 2;
    default:
      return (mel.fft - mel.length) / 2 - mel.fft / 2;
  }
}

std::vector<double> window_weights(SoundWindow window, std::int64_t length) {
  std::vector<double> weights(static_cast<std::size_t>(length), 1.0);
  if (window == SoundWindow::kRectangular || length == 1) return weights;
  const bool periodic = window == SoundWindow::kHann || window == SoundWindow::kHamming;
  const bool hamming = window == SoundWindow::kHamming || window == SoundWindow::kHammingSymmetric;
  const double period = static_cast<double>(periodic ? length : length - 1);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double cosine = std::cos(2.0 * kPi * static_cast<double>(i) / period);
    weights[i] = hamming ? 0.54 - 0.46 * cosine : std::max(0.5 - 0.5 * cosine, 0.0);
    if (window == SoundWindow::kPovey) weights[i] = std::pow(weights[i], kPoveyPower);
  }
  return weights;
}

MelBands mel_bands(const MelDescription& mel, double rate_hz) {
  const double low = to_mel(mel.scale, mel.low_hz);
  const double high = to_mel(mel.scale, mel.high_hz);
  const bool linear_in_mel = mel.scale == MelScale::kKaldi;
  const auto corner_mel = [&](std::int64_t i) {
    const double part = static_cast<double>(i) / static_cast<double>(mel.bins + 1);
    return low + (high - low) * part;
  };
  std::vector<double> places(static_cast<std::size_t>(mel.fft / 2 + 1));
  for (std::size_t k = 0; k < places.size(); ++k) {
    const double hertz = static_cast<double>(k) * rate_hz / static_cast<double>(mel.fft);
    places[k] = linear_in_mel ? to_mel(mel.scale, hertz) : hertz;
  }
  MelBands result;
  for (std::int64_t band = 0; band < mel.bins; ++band) {
    double corner[3];
    double hertz[3];
    for (int i = 0; i < 3; ++i) {
      hertz[i] = to_hertz(mel.scale, corner_mel(band + i));
      corner[i] = linear_in_mel ? corner_mel(band + i) : hertz[i];
    }
    const double factor = mel.area_norm ? 2.0 / (hertz[2] - hertz[0]) : 1.0;
    MelBand row{0, 0, static_cast<std::int64_t>(result.weights.size())};
    for (std::size_t k = 0; k < places.size(); ++k) {
      const double rising = (places[k] - corner[0]) / (corner[1] - corner[0]);
      const double falling = (corner[2] - places[k]) / (corner[2] - corner[1]);
      const double weight = std::min(rising, falling);
      if (!(weight > 0.0)) continue;
      if (row.count == 0) row.first = static_cast<std::int64_t>(k);
      ++row.count;
      result.weights.push_back(weight * factor);
    }
    result.bands.push_back(row);
  }
  return result;
}

std::vector<double> cosine_weights(const MelDescription& mel) {
  const auto bins = static_cast<double>(mel.bins);
  std::vector<double> weights;
  for (std::int64_t b = 0; b < mel.bins; ++b) {
    for (std::int64_t c = 0; c < mel.coefficients; ++c) {
      const auto index = static_cast<double>(c);
      const double lifter =
          mel.lifter > 0.0F ? 1.0 + mel.lifter / 2.0 * std::sin(kPi * index / mel.lifter) : 1.0;
      const double norm = std::sqrt((c == 0 ? 1.0 : 2.0) / bins) * lifter;
      weights.push_back(norm * std::cos(kPi / bins * (static_cast<double>(b) + 0.5) * index));
    }
  }
  return weights;
}

SpectrumRule spectrum_rule(const MelDescription& mel, double rate_hz) {
  SpectrumRule rule;
  rule.length = mel.length;
  rule.step = mel.step;
  rule.fft = mel.fft;
  rule.window = window_weights(mel.window, mel.length);
  rule.remove_mean = mel.remove_mean;
  rule.preemphasis = mel.preemphasis;
  rule.magnitude = mel.magnitude;
  rule.mel = mel_bands(mel, rate_hz);
  rule.logarithm = mel.logarithm != SoundLogarithm::kNone;
  rule.floor = mel.floor;
  rule.offset = mel.offset;
  rule.scale = log_scale(mel);
  return rule;
}

}  // namespace plait::detail
