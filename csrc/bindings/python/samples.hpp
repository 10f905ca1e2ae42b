// samples.hpp: what Python gives for each modality, viewed as the sample its kind asks for.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plait/manifest.hpp"
#include "plait/sample.hpp"

namespace plait::python {

namespace py = pybind11;

/// Samples of one call, viewed: the Python objects they view are kept alive alongside.
class SampleList {
 public:
  /// modality -> sample, or None for absent. Throws SampleError for what can't be viewed as the
  /// modality's kind of sample. A name that the manifest lacks is left for the model to refuse.
  SampleList(const Manifest& manifest, const py::dict& given);
  SampleList(const Manifest& manifest, std::string modality, const py::handle& value);

  std::span<const NamedSample> named() const { return named_; }
  const Sample& only() const { return *samples_.front(); }

 private:
  Sample view(const Manifest& manifest, const py::handle& value);

  std::vector<std::string> names_;
  std::vector<std::optional<Sample>> samples_;
  std::vector<NamedSample> named_;
  std::vector<py::object> kept_;
};

}  // namespace plait::python
