// backends/tensorrt/engine_key.hpp: what a built engine depends on, and the name that follows.
#pragma once

#include <string>

#include "base/json_reader.hpp"
#include "plait/export.hpp"

namespace plait::detail {

/// Everything that decides whether an engine may run here. Two keys are equal if and only if every
/// field is: an engine built under any other key is never run in its place.
struct PLAIT_API EngineKey {
  std::string graph_sha256;        ///< of the graph's file, 64 lower-case hexadecimal digits
  std::string precision;           ///< the variant's name: "fp16_tensorrt"
  std::string profiles;            ///< JSON: {"input": [[shape min], [best], [most]]}
  std::string tensorrt;            ///< "10.14.1.48", "rtx-1.7.1.116"
  std::string device;              ///< the GPU's name; empty when built ahead of time
  std::string compute_capability;  ///< "8.7"; for several GPUs "8.6,8.9,12.0"
  std::string driver;              ///< CUDA driver or JetPack release; empty ahead of time
  std::string plugins;             ///< ABI of Plait's plugin library; empty for portable graphs

  /// One line of canonical JSON: fields in the names' order, no spaces, profiles likewise. Throws
  /// ConfigError for a key that names no engine: no hash, no precision, no TensorRT version, no
  /// compute capability, profiles that are no JSON object, text that is no UTF-8.
  std::string json() const;
  /// The SHA-256 of json(): the name of the engine's files. Throws ConfigError as json() does.
  std::string hex() const;

  bool operator==(const EngineKey&) const = default;
};

/// The key in a file's JSON. Throws BundleError for a field that is missing or no text.
EngineKey read_engine_key(const JsonReader& json);

/// In words, what differs: "TensorRT '10.3.0' instead of '10.14.1', driver ..."; empty if nothing.
std::string difference_of(const EngineKey& found, const EngineKey& wanted);

}  // namespace plait::detail
