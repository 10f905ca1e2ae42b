// backend.hpp: the TensorRT backend: graphs as engines of the cache, on the current CUDA device.
//
// Needs no header of TensorRT's: where Plait was built without them, both functions throw
// BackendError.
#pragma once

#include <memory>
#include <string>

#include "backends/backend.hpp"
#include "backends/tensorrt/engine_key.hpp"
#include "plait/export.hpp"
#include "plait/model.hpp"

namespace plait::detail {

/// Opens CUDA and TensorRT as the options say. Engines are found in the cache and never built.
/// Throws BackendError, ConfigError.
std::unique_ptr<Backend> make_tensorrt_backend(const LoadOptions& options);

/// What engines built and run here depend on: the fields of a key that no graph decides. plugins is
/// their ABI where with_plugins is true, which loads them, else empty. Throws as
/// make_tensorrt_backend().
PLAIT_API EngineKey engine_platform(const LoadOptions& options, bool with_plugins);

}  // namespace plait::detail
