// sound_converter.hpp: raw sound -> float64 samples of one channel at the encoder's rate, in
// blocks.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/function_ref.hpp"
#include "preprocess/sound_input.hpp"
#include "preprocess/sound_rule.hpp"

namespace plait::detail {

/// Tables of the rates that samples stated, the last few of them: other rates than the declared.
class ResamplerTables {
 public:
  explicit ResamplerTables(const SoundRule& rule) : rule_(rule) {}
  /// nullptr where nothing is to be resampled. Throws SampleError for a rate whose table would be
  /// too large.
  const ResamplerTable* of(std::int64_t rate_hz);

 private:
  const SoundRule& rule_;
  std::array<std::unique_ptr<ResamplerTable>, 4> kept_;
  std::size_t oldest_ = 0;
};

using SampleSink = FunctionRef<void(std::span<const double>)>;

/// One sound after another. Does not allocate once warm.
class SoundConverter {
 public:
  explicit SoundConverter(const SoundRule& rule);

  /// A new sound of such samples, of which the outputs before `first` are not wanted. Returns the
  /// first frame that convert is to be given.
  std::int64_t begin(const ResamplerTable* table, std::int64_t first);
  /// Frames begin to end of a sound; gives the sink all samples that they complete.
  void convert(const SoundView& sound, std::int64_t begin, std::int64_t end, SampleSink sink);
  /// The sound has ended.
  void finish(SampleSink sink);

 private:
  void drain(SampleSink sink);

  const SoundRule& rule_;
  const ResamplerTable* table_ = nullptr;
  Resampler resampler_;
  std::vector<double> mixed_;
  std::vector<double> resampled_;
};

}  // namespace plait::detail
