// providers.hpp: ONNX Runtime's own ways onto a GPU, of libraries that were built with them.
#pragma once

#include <onnxruntime_c_api.h>

#include <cstdint>
#include <string>

#include "backends/onnxruntime/library.hpp"

namespace plait::detail {

enum class OrtProvider : std::uint8_t {
  kCpu,
  kCuda,     ///< what it can on CUDA, the rest on the CPU
  kTensorRt  ///< what it can as engines that ONNX Runtime builds and keeps, the rest as kCuda
};

/// Of LoadOptions::device: "cuda", "cuda-tensorrt", else the CPU.
OrtProvider provider_named(const std::string& device) noexcept;
/// "cpu", "cuda", "cuda-tensorrt"
const char* name_of(OrtProvider provider) noexcept;

/// Throws BackendError where the library was built without the provider.
void require_provider(const OrtLibrary& library, OrtProvider provider);

/// Adds the provider to a session's options. Throws BackendError: CUDA, cuDNN or TensorRT are
/// missing.
void append_provider(const OrtLibrary& library, OrtProvider provider, OrtSessionOptions& options,
                     const std::string& where);

}  // namespace plait::detail
