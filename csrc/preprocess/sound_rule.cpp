// sound_rule.cpp: checks a description once more where it would be used, and makes the tables.
#include "preprocess/sound_rule.hpp"

#include <cmath>
#include <utility>

#include "plait/error.hpp"
#include "preprocess/sound_input.hpp"

namespace plait::detail {
namespace {

bool whole_rate(double rate) { return rate >= 1.0 && rate <= 1e6 && std::floor(rate) == rate; }

/// What is wrong with a description; empty where nothing is.
std::string fault_of(const SoundDescription& sound) {
  const MelDescription& mel = sound.mel;
  if (!whole_rate(sound.rate_hz) || !whole_rate(sound.sensor_rate_hz)) {
    return "rates that are no whole Hz up to 1 MHz";
  }
  if (sound.sensor_channels < 1 || sound.channel >= sound.sensor_channels) {
    return "channel " + std::to_string(sound.channel) + " of " +
           std::to_string(sound.sensor_channels);
  }
  if (sound.window < 1 || sound.mean.empty() || sound.std.empty()) {
    return "no window, mean or deviation";
  }
  if (sound.resampler_zeros < 1 || !(sound.resampler_rolloff > 0.0))
    return "a resampler of nothing";
  if (sound.features == SoundFeatures::kWaveform) {
    return sound.shorter == SoundShorter::kPad ? "a waveform with frames to be filled up" : "";
  }
  if (mel.length < 1 || mel.step < 1 || mel.fft < mel.length || mel.fft % 2 != 0 || mel.bins < 1) {
    return "frames of " + std::to_string(mel.length) + " every " + std::to_string(mel.step) +
           " samples with a transform of " + std::to_string(mel.fft);
  }
  if (mel.frames_of(sound.window) < 1) return "a window without an analysis frame";
  if (mel.frames > 0 && mel.frames < mel.frames_of(sound.window)) {
    return "fewer frames than the window has";
  }
  return "";
}

}  // namespace

SoundRule::SoundRule(const SoundDescription& sound, std::string place, const SoundKernels& loops)
    : description(sound), where(std::move(place)), kernels(loops) {
  std::string fault = fault_of(description);
  const auto sensor_hz = static_cast<std::int64_t>(description.sensor_rate_hz);
  const bool resampled = fault.empty() && sensor_hz != rate_hz();
  if (resampled && resampler_weights(sensor_hz, rate_hz(), resampler()) > kMostResamplerWeights) {
    fault = "rates " + std::to_string(sensor_hz) + " and " + std::to_string(rate_hz()) +
            " Hz, whose ratio takes too large a table";
  }
  if (!fault.empty()) {
    throw BundleError({.where = where,
                       .expected = "a sound description this library computes",
                       .got = fault,
                       .action = "Describe the sound otherwise and export again."});
  }
  if (resampled) declared = make_resampler_table(sensor_hz, rate_hz(), resampler());
  if (waveform()) return;
  engine = kernels.make_engine(spectrum_rule(description.mel, description.rate_hz));
  if (description.features == SoundFeatures::kMfcc) cosines = cosine_weights(description.mel);
}

std::int64_t SoundRule::bands() const noexcept {
  return description.features == SoundFeatures::kMfcc ? description.mel.coefficients
                                                      : description.mel.bins;
}

std::int64_t SoundRule::frames() const noexcept {
  return description.mel.frames > 0 ? description.mel.frames
                                    : description.mel.frames_of(description.window);
}

float SoundRule::mean(std::int64_t band) const noexcept {
  return description.mean[description.mean.size() > 1 ? static_cast<std::size_t>(band) : 0];
}

float SoundRule::std(std::int64_t band) const noexcept {
  return description.std[description.std.size() > 1 ? static_cast<std::size_t>(band) : 0];
}

ResamplerRule SoundRule::resampler() const noexcept {
  return {description.resampler_zeros, description.resampler_rolloff, description.resampler_beta};
}

}  // namespace plait::detail
