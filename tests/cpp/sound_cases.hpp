// sound_cases.hpp: random sounds and descriptions, and the same features in plain float64.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "plait/manifest.hpp"
#include "plait/sample.hpp"
#include "preprocess/sound_kernels.hpp"

namespace plait::testing_support {

/// PCM in memory of exactly its size, so that a sanitizer sees an overrun.
struct OwnedSound {
  Sound sound;
  std::vector<std::byte> memory;
};

/// Noise and a tone of [frames, channels]; interleaved or planar, int16 or float32.
OwnedSound random_sound(DType dtype, std::int64_t frames, std::int64_t channels,
                        std::mt19937& generator);

/// Frames first to first + count of a sound: a view.
Sound part_of(const Sound& sound, std::int64_t first, std::int64_t count);

/// Log-mel bands of small frames at 16 kHz from one channel, a window of so many samples.
ModalityDescription log_mel_of(std::int64_t window);

/// Any features, edges and windows; sometimes another sensor rate and several channels.
ModalityDescription random_features(std::mt19937& generator);

/// What the preparation gives on the given inner loops.
std::vector<float> prepared(const ModalityDescription& modality, const Sound& sound,
                            const detail::SoundKernels& kernels);

/// The samples in float64, one channel.
std::vector<double> mixed(const SoundDescription& description, const Sound& sound);

/// The definition of the resampler, in float64: every sample times its weight.
std::vector<double> resampled(const SoundDescription& description, const std::vector<double>& pcm,
                              std::int64_t in_hz);

/// [frames][bins] of the definition: every frame through a discrete Fourier transform by its sum.
std::vector<double> log_mel(const SoundDescription& description, const std::vector<double>& pcm);

}  // namespace plait::testing_support
