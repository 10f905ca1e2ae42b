// sound_features.hpp: what becomes of mel bands: range, cosine transform, mean and deviation.
#pragma once

#include <cstdint>

#include "preprocess/sound_rule.hpp"

namespace plait::detail {

/// Bands of consecutive frames: value b of frame f is data[f * frame_step + b * band_step].
struct FeatureBlock {
  float* data = nullptr;
  std::int64_t frames = 0;
  std::int64_t bands = 0;
  std::int64_t frame_step = 0;
  std::int64_t band_step = 0;
};

/// Makes values relative to the largest, and none further below it than the range, as described.
void limit_range(const MelDescription& mel, const FeatureBlock& block);

/// logs: [bins] of one frame; coefficient c goes to out[c * step]. sums: [coefficients].
void cosine_transform(const SoundRule& rule, const float* logs, double* sums, float* out,
                      std::int64_t step);

/// (value - mean) / std.
void normalise(const SoundRule& rule, const FeatureBlock& block);

/// Fills a block's frames from `first` on with the described padding, normalised.
void fill_frames(const SoundRule& rule, const FeatureBlock& block, std::int64_t first);

}  // namespace plait::detail
