// preprocessor.hpp: raw sample -> encoder input, one implementation a sensor kind.
#pragma once

#include <memory>
#include <string>

#include "plait/manifest.hpp"
#include "plait/sample.hpp"
#include "plait/tensor.hpp"

namespace plait::detail {

/// Working memory of one preparation, allocated once per set of run buffers.
class PrepareScratch {
 public:
  virtual ~PrepareScratch() = default;
};

/// Immutable after construction, so one object serves all threads, each with a scratch of its own.
class Preprocessor {
 public:
  virtual ~Preprocessor() = default;

  /// Shape of one encoder input, [1, ...]; float32.
  virtual Shape input_shape() const = 0;
  virtual std::unique_ptr<PrepareScratch> make_scratch() const = 0;
  /// Writes the encoder's input into out, which has input_shape(). Does not allocate.
  /// Throws SampleError; out is then unspecified.
  virtual void prepare(const Sample& sample, PrepareScratch& scratch, TensorView out) const = 0;
};

/// The preprocessor of a modality's kind. where begins its error messages ("watch.plait, modality
/// accelerometer"). Throws BundleError for a kind or a unit this library does not know.
std::unique_ptr<Preprocessor> make_preprocessor(const ModalityDescription& modality,
                                                const std::string& where);

}  // namespace plait::detail
