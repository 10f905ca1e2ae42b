// backend.hpp: the ONNX Runtime backend: graphs on the CPU, or through its own GPU providers.
#pragma once

#include <memory>

#include "backends/backend.hpp"
#include "plait/model.hpp"

namespace plait::detail {

/// Opens ONNX Runtime as the options say. threads is the resolved count, at least 1. A model that
/// asks for as many threads as the first one shares the process's pool; another count brings a pool
/// for each of its graphs; one thread needs none. Throws BackendError, ConfigError.
std::unique_ptr<Backend> make_onnxruntime_backend(const LoadOptions& options, int threads);

}  // namespace plait::detail
