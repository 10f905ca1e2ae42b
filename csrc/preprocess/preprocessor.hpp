// preprocessor.hpp: raw sample -> encoder input, one implementation a sensor kind.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/thread_pool.hpp"
#include "plait/error.hpp"
#include "plait/manifest.hpp"
#include "plait/sample.hpp"
#include "plait/tensor.hpp"

namespace plait::detail {

class CudaFramePreprocessor;

/// Working memory of one preparation, allocated once per set of run buffers.
class PrepareScratch {
 public:
  virtual ~PrepareScratch() = default;
};

/// What can prepare several regions of one frame in one call.
class RegionPreprocessor {
 public:
  virtual ~RegionPreprocessor() = default;
  /// out[i] is what prepare() gives of the frame with regions[i] as its region; out is
  /// [regions, ...] of the preprocessor's input_dtype(). Does not allocate once warm.
  /// Throws SampleError, which names the region; out is then unspecified.
  virtual void prepare_regions(const Frame& frame, std::span<const Rectangle> regions,
                               PrepareScratch& scratch, TensorView out) const = 0;
};

/// Immutable after construction, so one object serves all threads, each with a scratch of its own.
class Preprocessor {
 public:
  virtual ~Preprocessor() = default;

  /// Shape of one encoder input, [1, ...].
  virtual Shape input_shape() const = 0;
  virtual DType input_dtype() const noexcept { return DType::kFloat32; }
  /// Whether NaN may stand in the encoder's input for what is not there.
  virtual bool has_gaps() const noexcept { return false; }
  virtual std::unique_ptr<PrepareScratch> make_scratch() const = 0;
  /// Writes the encoder's input into out, which has input_shape() and input_dtype(). Does not
  /// allocate once warm. Throws SampleError; out is then unspecified.
  virtual void prepare(const Sample& sample, PrepareScratch& scratch, TensorView out) const = 0;
  /// Of the same kind and with the same scratch; nullptr where samples have no regions.
  virtual const RegionPreprocessor* regions() const noexcept { return nullptr; }
  /// Of the same samples; nullptr where no CUDA device prepares them.
  virtual const CudaFramePreprocessor* cuda() const noexcept { return nullptr; }

  /// The embedding of a sample for which no encoder has to run; empty for every other sample.
  /// Throws SampleError where there is no encoder to run either. Does not allocate.
  virtual std::span<const float> known_embedding(const Sample&) const { return {}; }
};

/// What a preprocessor may use. Members are read while it is made only; the pool, which may be
/// nullptr, outlives it.
struct PreprocessorResources {
  /// A member's bytes, checked. Valid as long as the bundle is open. Throws BundleError.
  std::function<std::span<const std::byte>(const std::string& member)> member;
  ThreadPool* pool = nullptr;
};

/// The preprocessor of a modality's kind. where begins its error messages ("watch.plait, modality
/// accelerometer"). Throws BundleError for a kind or a unit this library does not know.
std::unique_ptr<Preprocessor> make_preprocessor(const ModalityDescription& modality,
                                                const std::string& where,
                                                const PreprocessorResources& resources = {});

/// "a signal", "a frame", ...: for error messages.
std::string_view kind_of(const Sample& sample) noexcept;

/// The sample as the kind that a preprocessor takes. Throws SampleError for another kind.
template <typename Kind>
const Kind& sample_as(const Sample& sample, const std::string& where, const char* action) {
  const auto* taken = std::get_if<Kind>(&sample);
  if (taken != nullptr) return *taken;
  throw SampleError({.where = where,
                     .expected = std::string(kind_of(Kind{})),
                     .got = std::string(kind_of(sample)),
                     .action = action});
}

}  // namespace plait::detail
