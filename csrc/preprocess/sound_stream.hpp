// sound_stream.hpp: features of a sound that comes in chunks, by the same steps as of a whole one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "plait/sample.hpp"
#include "preprocess/sound_converter.hpp"
#include "preprocess/sound_framer.hpp"

namespace plait::detail {

/// What plait::FeatureStream promises.
class SoundStream {
 public:
  /// Throws ConfigError for a waveform, which has no frames.
  explicit SoundStream(std::unique_ptr<const SoundRule> rule);

  std::int64_t bands() const noexcept { return rule_->bands(); }
  std::int64_t ready() const noexcept;
  void push(const Sound& chunk);
  void finish();
  std::int64_t read(std::span<float> out);
  void reset() noexcept;

 private:
  void convert(const Sound& chunk);
  void take_frames();

  std::unique_ptr<const SoundRule> rule_;
  ResamplerTables tables_;
  SoundConverter converter_;
  SoundFramer framer_;
  std::int64_t rate_hz_ = 0;  // of the sound so far; 0 before it begins
  bool finished_ = false;
  std::vector<float> rows_;  // [ready][bands], behind those that were read
  std::size_t read_ = 0;     // values
  std::vector<float> logs_;  // [frames][bins] of MFCC
  std::vector<double> sums_;
};

}  // namespace plait::detail
