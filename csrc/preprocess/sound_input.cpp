// sound_input.cpp: what a sound has to be, and the loops that read it.
#include "preprocess/sound_input.hpp"

#include <cmath>
#include <cstring>

#include "base/format.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

constexpr double kInt16Scale = 1.0 / 32768.0;

template <typename T>
double load(const std::byte* address) noexcept {
  T value;
  std::memcpy(&value, address, sizeof(T));  // frames of a strided view may be unaligned
  return static_cast<double>(value);
}

std::int64_t checked_rate(double stated, const SoundDescription& description,
                          const std::string& where) {
  if (stated == 0.0 || stated == description.sensor_rate_hz) {
    return static_cast<std::int64_t>(description.sensor_rate_hz);
  }
  const bool whole = std::floor(stated) == stated;  // false for NaN
  if (whole && stated >= static_cast<double>(kLeastSoundRateHz) &&
      stated <= static_cast<double>(kMostSoundRateHz)) {
    return static_cast<std::int64_t>(stated);
  }
  throw SampleError({.where = where,
                     .expected = "a sample rate of whole Hz from " +
                                 std::to_string(kLeastSoundRateHz) + " to " +
                                 std::to_string(kMostSoundRateHz),
                     .got = number_text(stated) + " Hz",
                     .action = "State the rate of the recording, or 0 for the declared " +
                               number_text(description.sensor_rate_hz) + " Hz."});
}

/// Whether all offsets of the view can be computed: no memory is larger.
bool strides_fit(const SoundView& view) {
  constexpr double kMost = 0x1p61;
  const double frames =
      static_cast<double>(view.frames) * std::abs(static_cast<double>(view.frame_stride));
  const double channels =
      static_cast<double>(view.channels) * std::abs(static_cast<double>(view.channel_stride));
  return frames + channels < kMost;
}

/// One value of a frame in -1 to 1: a channel, or the mean of all.
template <typename T>
double mixed(const std::byte* frame, const SoundView& sound, std::int64_t channel) noexcept {
  if (channel >= 0) return load<T>(frame + channel * sound.channel_stride);
  double sum = 0.0;
  for (std::int64_t c = 0; c < sound.channels; ++c) {
    sum += load<T>(frame + c * sound.channel_stride);
  }
  return sum / static_cast<double>(sound.channels);
}

/// The same, for one channel and memory without gaps, which compilers vectorise.
template <typename T>
void scale_contiguous(const std::byte* data, double factor, std::span<double> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = load<T>(data + i * sizeof(T)) * factor;
}

template <typename T>
void mix(const SoundView& sound, std::int64_t first, std::int64_t channel, double factor,
         std::span<double> out) noexcept {
  const std::byte* frame = sound.data + first * sound.frame_stride;
  if (sound.channels == 1 && sound.frame_stride == static_cast<std::int64_t>(sizeof(T))) {
    return scale_contiguous<T>(frame, factor, out);
  }
  for (double& value : out) {
    value = mixed<T>(frame, sound, channel) * factor;
    frame += sound.frame_stride;
  }
}

[[noreturn]] void refuse_values(const SoundView& sound, std::int64_t first, std::size_t count,
                                const std::string& where) {
  std::string position = "one";
  for (std::int64_t i = static_cast<std::int64_t>(count); i-- > 0;) {
    for (std::int64_t c = 0; c < sound.channels; ++c) {
      const double value =
          load<float>(sound.data + (first + i) * sound.frame_stride + c * sound.channel_stride);
      if (!(std::abs(value) <= static_cast<double>(kLargestSample))) {
        position = number_text(value) + " at frame " + std::to_string(first + i) + ", channel " +
                   std::to_string(c);
      }
    }
  }
  throw SampleError({.where = where,
                     .expected = "finite float32 samples in -1 to 1",
                     .got = position,
                     .action = "Repair the recording, or declare the modality absent."});
}

/// NaN, infinite or very large values in the channels that are used.
bool usable(std::span<const double> values, double limit) noexcept {
  bool good = true;
  for (const double value : values) good = good && std::abs(value) <= limit;
  return good;
}

}  // namespace

SoundView checked_sound(const Sound& sound, const SoundDescription& description,
                        const std::string& where) {
  const ConstTensorView& values = sound.values;
  if (values.dtype != DType::kFloat32 && values.dtype != DType::kInt16) {
    throw SampleError({.where = where,
                       .expected = "int16 samples, or float32 in -1 to 1",
                       .got = std::string(name_of(values.dtype)),
                       .action = "Convert the array first."});
  }
  const std::size_t rank = values.shape.rank();
  const std::int64_t channels = rank == 2 ? values.shape[1] : 1;
  if (values.data == nullptr || rank < 1 || rank > 2 || channels != description.sensor_channels) {
    const std::string several = "[frames, " + std::to_string(description.sensor_channels) + "]";
    const bool swapped = rank == 2 && values.shape[0] == description.sensor_channels;
    throw SampleError(
        {.where = where,
         .expected = "samples of shape " +
                     (description.sensor_channels == 1 ? "[frames] or " + several : several),
         .got = values.data == nullptr ? "no data" : values.shape.text(),
         .action = swapped ? "Pass the transpose of planar samples: a view, no copy."
                           : "Pass one column for each of the sensor's channels."});
  }
  if (values.shape[0] < 1) {
    throw SampleError({.where = where,
                       .expected = "at least one sample",
                       .got = values.shape.text(),
                       .action = "Declare the modality absent where nothing was recorded."});
  }
  SoundView view{static_cast<const std::byte*>(values.data),
                 values.dtype == DType::kFloat32,
                 values.shape[0],
                 channels,
                 values.strides[0],
                 rank == 2 ? values.strides[1] : 0,
                 checked_rate(sound.sample_rate_hz, description, where)};
  if (!strides_fit(view)) {
    throw SampleError({.where = where,
                       .expected = "samples in memory",
                       .got = values.shape.text() + " with strides of " +
                              std::to_string(view.frame_stride) + " and " +
                              std::to_string(view.channel_stride) + " bytes",
                       .action = "Pass the array's own shape and strides."});
  }
  return view;
}

void mix_channels(const SoundView& sound, std::int64_t first, const SoundDescription& description,
                  const std::string& where, std::span<double> out) {
  const double gain = description.gain;
  if (!sound.is_float) {
    return mix<std::int16_t>(sound, first, description.channel, gain * kInt16Scale, out);
  }
  mix<float>(sound, first, description.channel, gain, out);
  if (!usable(out, gain * static_cast<double>(kLargestSample))) {
    refuse_values(sound, first, out.size(), where);
  }
}

}  // namespace plait::detail
