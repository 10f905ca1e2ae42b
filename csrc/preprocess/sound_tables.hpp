// sound_tables.hpp: what analysing a sound needs and does not depend on it: weights, bands,
// cosines.
#pragma once

#include <cstdint>
#include <vector>

#include "plait/manifest.hpp"

namespace plait::detail {

/// Where frame 0 begins; negative where it reaches before the sound.
std::int64_t first_frame_of(const MelDescription& mel) noexcept;

/// Weights of one analysis frame, [length].
std::vector<double> window_weights(SoundWindow window, std::int64_t length);

/// One mel band: its weights are MelBands::weights[offset ...], of the bins first, first + 1, ...
struct MelBand {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t offset = 0;
};

/// Triangles over the bins of a spectrum; only what is not zero is kept.
struct MelBands {
  std::vector<MelBand> bands;
  std::vector<double> weights;
};

/// Sources: Slaney's Auditory Toolbox (1998) and the HTK book for the scales; Kaldi's
/// feature-fbank for triangles that are linear in mel.
MelBands mel_bands(const MelDescription& mel, double rate_hz);

/// [bins][coefficients] of the orthonormal DCT-II, each coefficient times its lifter.
std::vector<double> cosine_weights(const MelDescription& mel);

/// All that turns the samples of one frame into its bands.
struct SpectrumRule {
  std::int64_t length = 0;
  std::int64_t step = 0;
  std::int64_t fft = 0;
  std::vector<double> window;
  bool remove_mean = false;
  double preemphasis = 0.0;
  bool magnitude = false;
  MelBands mel;
  bool logarithm = true;
  double floor = 0.0;
  double offset = 0.0;
  double scale = 1.0;  ///< onto the natural logarithm
};

SpectrumRule spectrum_rule(const MelDescription& mel, double rate_hz);

}  // namespace plait::detail
