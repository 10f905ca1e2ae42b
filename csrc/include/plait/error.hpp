// plait/error.hpp: the errors of Plait, one type a kind, each with the four parts a reader needs.
#pragma once

#include <stdexcept>
#include <string>

#include "plait/export.hpp"

namespace plait {

/// What went wrong, in four parts. Every message Plait raises is made of these.
struct ErrorParts {
  std::string where;  ///< bundle, modality, member or stage: "watch.plait, modality accelerometer"
  std::string expected;  ///< "a window of shape [100, 3]"
  std::string got;       ///< "shape [99, 3]"
  std::string action;    ///< what the reader can do: "Pass exactly 2 s of samples."
};

/// Base of all errors. what() reads "WHERE: expected EXPECTED, got GOT. ACTION".
class PLAIT_API Error : public std::runtime_error {
 public:
  explicit Error(ErrorParts parts);
  const ErrorParts& parts() const noexcept { return parts_; }

 private:
  ErrorParts parts_;
};

/// The file is not a bundle, is damaged, was altered, or is newer than this library.
class PLAIT_API BundleError final : public Error {
 public:
  using Error::Error;
};

/// A raw sample, or the set of samples, is not what the bundle declares.
class PLAIT_API SampleError final : public Error {
 public:
  using Error::Error;
};

/// A backend (ONNX Runtime, TensorRT) is missing, too old, or failed on a graph.
class PLAIT_API BackendError final : public Error {
 public:
  using Error::Error;
};

/// An option of the caller's makes no sense: an unknown precision, a negative thread count.
class PLAIT_API ConfigError final : public Error {
 public:
  using Error::Error;
};

}  // namespace plait
