// sound_rule.hpp: all of a sound's preparation that does not depend on the sample. Immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plait/manifest.hpp"
#include "preprocess/sound_kernels.hpp"
#include "preprocess/sound_resampler.hpp"

namespace plait::detail {

struct SoundRule {
  /// Throws BundleError for a description that this library does not compute.
  SoundRule(const SoundDescription& description, std::string where, const SoundKernels& kernels);

  bool waveform() const noexcept { return description.features == SoundFeatures::kWaveform; }
  std::int64_t rate_hz() const noexcept { return static_cast<std::int64_t>(description.rate_hz); }
  /// Values of one frame that the encoder sees.
  std::int64_t bands() const noexcept;
  /// Frames that the encoder sees.
  std::int64_t frames() const noexcept;
  float mean(std::int64_t band) const noexcept;
  float std(std::int64_t band) const noexcept;
  ResamplerRule resampler() const noexcept;

  SoundDescription description;
  std::string where;
  const SoundKernels& kernels;
  std::unique_ptr<SpectrumEngine> engine;    ///< nullptr of a waveform
  std::unique_ptr<ResamplerTable> declared;  ///< nullptr where the sensor has the encoder's rate
  std::vector<double> cosines;               ///< [bins][coefficients] of MFCC
};

}  // namespace plait::detail
