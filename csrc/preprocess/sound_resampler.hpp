// sound_resampler.hpp: converts a sound's rate by a windowed sinc, a piece at a time.
//
// y[m] = sum over n of x[n] g(m in / out - n), zeros beyond the ends, ceil(samples out / in) of
// them, so y[m] lies at the time of the m-th sample of the new rate: no delay. With
// c = rolloff min(1, out / in), g(t) = c sinc(c t) kaiser(c t / zeros).
// Source: J. O. Smith, Digital Audio Resampling (2002), as torchaudio's sinc_interp_kaiser.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "preprocess/sample_queue.hpp"
#include "preprocess/sound_kernels.hpp"

namespace plait::detail {

/// More weights than this (32 MiB) are refused: rates whose ratio takes them are no rates in use.
inline constexpr std::int64_t kMostResamplerWeights = std::int64_t{1} << 22;

struct ResamplerRule {
  std::int64_t zeros = 32;
  double rolloff = 0.95;
  double beta = 12.0;
};

/// The weights of one pair of rates. Immutable.
struct ResamplerTable {
  std::int64_t in_hz = 0;
  std::int64_t up = 1;  ///< out : in in lowest terms
  std::int64_t down = 1;
  std::int64_t before = 0;  ///< an output's first weight is of the sample so far before its place
  std::int64_t taps = 0;    ///< a phase; the last are zeros, up to a multiple of kResampleLanes
  std::vector<double> weights;  ///< [up][taps]

  /// How many samples so many become.
  std::int64_t outputs(std::int64_t inputs) const noexcept {
    return (inputs * up + down - 1) / down;
  }
  /// Samples that the outputs before this one depend on.
  std::int64_t inputs_before(std::int64_t output) const noexcept;
};

/// The weights that a table would have.
std::int64_t resampler_weights(std::int64_t in_hz, std::int64_t out_hz, const ResamplerRule& rule);
/// Of rates whose table is no larger than kMostResamplerWeights.
std::unique_ptr<ResamplerTable> make_resampler_table(std::int64_t in_hz, std::int64_t out_hz,
                                                     const ResamplerRule& rule);

/// What is left of earlier pieces. One a stream.
class Resampler {
 public:
  explicit Resampler(const SoundKernels& kernels) : kernels_(&kernels), queue_(kSoundSlack) {}

  /// A new sound; the next output is output `first`. Returns the first sample to be appended.
  std::int64_t begin(const ResamplerTable& table, std::int64_t first);
  void append(std::span<const double> samples) { queue_.append(samples); }
  /// There are no further samples.
  void finish();
  /// Outputs that can be computed.
  std::int64_t ready() const noexcept;
  /// Computes the next ones.
  void take(std::span<double> out);

 private:
  const SoundKernels* kernels_;
  const ResamplerTable* table_ = nullptr;
  SampleQueue queue_;
  std::int64_t next_ = 0;   // output
  std::int64_t last_ = -1;  // number of outputs, once known
};

}  // namespace plait::detail
