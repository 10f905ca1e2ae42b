// sound_input.hpp: checks raw sound, and mixes its channels into float64 samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "plait/manifest.hpp"
#include "plait/sample.hpp"

namespace plait::detail {

inline constexpr std::int64_t kLeastSoundRateHz = 1000;
inline constexpr std::int64_t kMostSoundRateHz = 384000;
/// Samples beyond this are no sound, whatever their scale; energies of lesser ones are finite.
inline constexpr float kLargestSample = 1e6F;

/// A sound that was checked: every sample from data on, by these strides, lies in its memory.
struct SoundView {
  const std::byte* data = nullptr;
  bool is_float = false;
  std::int64_t frames = 0;
  std::int64_t channels = 1;
  std::int64_t frame_stride = 0;    ///< bytes
  std::int64_t channel_stride = 0;  ///< bytes
  std::int64_t rate_hz = 0;
};

/// Throws SampleError for a sound of another type, shape, number of channels or rate than can be
/// prepared. Values are checked by mix_channels.
SoundView checked_sound(const Sound& sound, const SoundDescription& description,
                        const std::string& where);

/// out[i] = gain * (the channel, or the mean of all, of frame first + i), int16 divided by 32768.
/// Throws SampleError for values that are not finite or larger than kLargestSample.
void mix_channels(const SoundView& sound, std::int64_t first, const SoundDescription& description,
                  const std::string& where, std::span<double> out);

}  // namespace plait::detail
