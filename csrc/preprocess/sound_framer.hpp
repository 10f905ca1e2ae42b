// sound_framer.hpp: cuts a growing series of samples into analysis frames, and computes their
// bands.
#pragma once

#include <cstdint>
#include <span>

#include "plait/tensor.hpp"
#include "preprocess/sample_queue.hpp"
#include "preprocess/sound_kernels.hpp"

namespace plait::detail {

/// Frames come out as soon as they are decided: when all their samples are there, what an edge
/// mirrors included. A frame's bits do not depend on how the samples came.
class SoundFramer {
 public:
  /// Keeps references: description and engine outlive it.
  SoundFramer(const MelDescription& mel, const SpectrumEngine& engine);

  /// A new sound.
  void begin();
  void append(std::span<const double> samples);
  void append_zeros(std::int64_t samples);
  /// There are no further samples: what lies beyond the end is known.
  void finish();
  /// Frames that are decided and not taken.
  std::int64_t ready() const noexcept;
  /// Computes the next frames: band b of the f-th goes to out[f * frame_step + b * band_step].
  void take(std::int64_t frames, float* out, std::int64_t frame_step, std::int64_t band_step);

 private:
  std::int64_t start_of(std::int64_t frame) const noexcept { return first_ + frame * mel_.step; }
  std::int64_t mirrored(std::int64_t position, std::int64_t samples) const noexcept;
  void settle_front();
  void fill_front(std::int64_t samples);

  const MelDescription& mel_;
  const SpectrumEngine& engine_;
  std::int64_t first_;
  SampleQueue queue_;
  Tensor work_;
  std::int64_t next_ = 0;       // frame
  std::int64_t total_ = -1;     // frames, once known
  bool front_settled_ = false;  // what lies before the sound is known
};

}  // namespace plait::detail
