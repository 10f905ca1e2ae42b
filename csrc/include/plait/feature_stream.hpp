// plait/feature_stream.hpp: log-mel and MFCC frames of a sound that comes in chunks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "plait/export.hpp"
#include "plait/sample.hpp"

namespace plait {

class FeatureStreamImpl;
class Model;

/// Features of one microphone, fed in chunks of any size, a single sample included.
///
/// A frame is there as soon as it is decided: when all the samples it sees have come, resampling
/// and mirrored edges included. After finish() the rows are, bit for bit, those of prepare() on the
/// whole sound, with one exception: what belongs to a window as a whole is left out, which is the
/// window's cut and filling up, MelDescription::range and relative_to_max. Mean and std are
/// applied.
///
/// Movable. Not thread-safe: one stream a thread. May outlive its Model. Once warm, no method
/// allocates, given that rows are read as they come.
class PLAIT_API FeatureStream {
 public:
  FeatureStream(FeatureStream&&) noexcept;
  FeatureStream& operator=(FeatureStream&&) noexcept;
  ~FeatureStream();

  /// Values of a row: bands or coefficients.
  std::int64_t bands() const noexcept;
  /// Rows that are there and were not read.
  std::int64_t ready() const noexcept;

  /// Takes the next chunk: channels and element type as prepare() takes them, the same sample rate
  /// from begin to finish; no samples at all are allowed. The chunk is not needed afterwards.
  /// Throws SampleError; the stream then stands as if it had been reset.
  void push(const Sound& chunk);
  /// The sound has ended: what its end decides is there now. Then only read and reset.
  void finish();
  /// Copies rows, oldest first: as many as are ready and fit into out, whole ones. Returns how
  /// many.
  std::int64_t read(std::span<float> out);
  /// Forgets everything: the next chunk begins a new sound.
  void reset() noexcept;

 private:
  friend class Model;
  explicit FeatureStream(std::unique_ptr<FeatureStreamImpl> impl) noexcept;
  std::unique_ptr<FeatureStreamImpl> impl_;
};

}  // namespace plait
