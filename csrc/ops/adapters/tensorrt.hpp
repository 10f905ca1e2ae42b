// ops/adapters/tensorrt.hpp: the operators as plugins of TensorRT 10 and 11: libplait_tensorrt.so.
//
// TensorRT's IPluginRegistry::loadLibrary opens the library by its path and finds the functions
// below. Every operator has a creator of version "1" in namespace "ai.plait", and one in the
// namespace "" too: TensorRT's ONNX parser looks there for nodes that do not name a namespace, and
// pays no heed to their domain. Nothing here throws: TensorRT gets a null pointer or a status that
// is not 0, and its logger, or standard error before it gave one, the message.
#pragma once

#include <NvInferRuntime.h>

namespace plait::ops {

/// Of every creator. Grows when engines that hold an older plugin would not run rightly with it.
inline constexpr const char* kPluginVersion = "1";
/// What engines depend on: plugin version, and what is serialised. Part of the engine cache's key.
inline constexpr const char* kPluginAbi = "1.0";

}  // namespace plait::ops

extern "C" {

/// All creators, owned by the library and never destroyed. Thread-safe.
__attribute__((visibility("default"))) nvinfer1::IPluginCreatorInterface* const* getCreators(
    std::int32_t& count) noexcept;
/// Where messages go from now on; kept by the caller. Thread-safe.
__attribute__((visibility("default"))) void setLoggerFinder(
    nvinfer1::ILoggerFinder* finder) noexcept;
/// kPluginAbi.
__attribute__((visibility("default"))) const char* plait_plugins_abi() noexcept;
}
