// sound_features.cpp: the passes over a window's features.
#include "preprocess/sound_features.hpp"

#include <algorithm>
#include <limits>

namespace plait::detail {
namespace {

/// Values that lie together: a band's frames, or a frame's bands.
struct Rows {
  std::int64_t count;
  std::int64_t length;
  std::int64_t step;
};

Rows rows_of(const FeatureBlock& block) {
  if (block.frame_step == 1) return {block.bands, block.frames, block.band_step};
  return {block.frames, block.bands, block.frame_step};
}

}  // namespace

void limit_range(const MelDescription& mel, const FeatureBlock& block) {
  if (!mel.relative_to_max && mel.range <= 0.0F) return;
  const Rows rows = rows_of(block);
  float largest = std::numeric_limits<float>::lowest();
  for (std::int64_t r = 0; r < rows.count; ++r) {
    const float* row = block.data + r * rows.step;
    for (std::int64_t i = 0; i < rows.length; ++i) largest = std::max(largest, row[i]);
  }
  const float reference = mel.relative_to_max ? largest : 0.0F;
  const float least =
      mel.range > 0.0F ? largest - reference - mel.range : std::numeric_limits<float>::lowest();
  for (std::int64_t r = 0; r < rows.count; ++r) {
    float* row = block.data + r * rows.step;
    for (std::int64_t i = 0; i < rows.length; ++i) row[i] = std::max(row[i] - reference, least);
  }
}

void cosine_transform(const SoundRule& rule, const float* logs, double* sums, float* out,
                      std::int64_t step) {
  const std::int64_t count = rule.description.mel.coefficients;
  const double* weights = rule.cosines.data();
  std::fill_n(sums, count, 0.0);
  for (std::int64_t b = 0; b < rule.description.mel.bins; ++b, weights += count) {
    const double value = logs[b];
    for (std::int64_t c = 0; c < count; ++c) sums[c] += weights[c] * value;
  }
  for (std::int64_t c = 0; c < count; ++c) out[c * step] = static_cast<float>(sums[c]);
}

void normalise(const SoundRule& rule, const FeatureBlock& block) {
  const bool banded = rule.description.mean.size() > 1 || rule.description.std.size() > 1;
  const Rows rows = rows_of(block);
  if (!banded || block.frame_step == 1) {
    for (std::int64_t r = 0; r < rows.count; ++r) {
      float* row = block.data + r * rows.step;
      const float mean = rule.mean(r);
      const float inverse = 1.0F / rule.std(r);
      for (std::int64_t i = 0; i < rows.length; ++i) row[i] = (row[i] - mean) * inverse;
    }
    return;
  }
  for (std::int64_t r = 0; r < rows.count; ++r) {
    float* row = block.data + r * rows.step;
    for (std::int64_t b = 0; b < rows.length; ++b) {
      row[b] = (row[b] - rule.mean(b)) * (1.0F / rule.std(b));
    }
  }
}

void fill_frames(const SoundRule& rule, const FeatureBlock& block, std::int64_t first) {
  for (std::int64_t b = 0; b < block.bands; ++b) {
    const float value = (rule.description.mel.pad - rule.mean(b)) * (1.0F / rule.std(b));
    float* out = block.data + b * block.band_step;
    for (std::int64_t f = first; f < block.frames; ++f) out[f * block.frame_step] = value;
  }
}

}  // namespace plait::detail
