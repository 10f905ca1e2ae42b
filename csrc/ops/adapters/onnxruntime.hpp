// ops/adapters/onnxruntime.hpp: the operators as custom ops of ONNX Runtime, domain ai.plait.
//
// Hosts of ONNX Runtime, Python's package among them, load libplait.so as a custom-op library: it
// exports RegisterCustomOps. Our own backend registers them for graphs of form "fused".
#pragma once

#include <onnxruntime_c_api.h>

#include <cstdint>

namespace plait::ops {

/// Lowest API level that has what the custom ops use: parallel-for over the session's own pool.
inline constexpr std::uint32_t kOrtApiLevel = 17;

/// Adds all operators to the options of a session. The domain lives as long as the process.
/// Returns nullptr, or a status that the caller releases. Thread-safe.
OrtStatus* register_custom_ops(OrtSessionOptions* options, const OrtApi& api) noexcept;

}  // namespace plait::ops
