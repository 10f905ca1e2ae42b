// providers.cpp: appends the CUDA and TensorRT execution providers.
#include "backends/onnxruntime/providers.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "backends/onnxruntime/handle.hpp"
#include "backends/tensorrt/engine_cache.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

std::vector<std::string> available_providers(const OrtLibrary& library) {
  const OrtApi& api = library.api();
  char** names = nullptr;
  int count = 0;
  library.check(api.GetAvailableProviders(&names, &count), "ONNX Runtime", "a list of providers");
  std::vector<std::string> list(names, names + count);
  library.check(api.ReleaseAvailableProviders(names, count), "ONNX Runtime", "freed memory");
  return list;
}

void append_tensorrt(const OrtLibrary& library, OrtSessionOptions& options,
                     const std::string& where) {
  const OrtApi& api = library.api();
  OrtTensorRTProviderOptionsV2* raw = nullptr;
  library.check(api.CreateTensorRTProviderOptions(&raw), where, "TensorRT's options");
  const OrtHandle<OrtTensorRTProviderOptionsV2> provider(raw, api.ReleaseTensorRTProviderOptions);
  // Engines take minutes to build: ONNX Runtime's own cache of them stands beside Plait's.
  const std::string folder = (EngineCache::default_folder() / "onnxruntime").string();
  const std::array<const char*, 2> keys = {"trt_engine_cache_enable", "trt_engine_cache_path"};
  const std::array<const char*, 2> values = {"1", folder.c_str()};
  library.check(api.UpdateTensorRTProviderOptions(raw, keys.data(), values.data(), keys.size()),
                where, "TensorRT's options");
  library.check(api.SessionOptionsAppendExecutionProvider_TensorRT_V2(&options, raw), where,
                "ONNX Runtime's TensorRT provider to start");
}

void append_cuda(const OrtLibrary& library, OrtSessionOptions& options, const std::string& where) {
  const OrtApi& api = library.api();
  OrtCUDAProviderOptionsV2* raw = nullptr;
  library.check(api.CreateCUDAProviderOptions(&raw), where, "CUDA's options");
  const OrtHandle<OrtCUDAProviderOptionsV2> provider(raw, api.ReleaseCUDAProviderOptions);
  library.check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(&options, raw), where,
                "ONNX Runtime's CUDA provider to start");
}

}  // namespace

OrtProvider provider_named(const std::string& device) noexcept {
  if (device == "cuda") return OrtProvider::kCuda;
  return device == "cuda-tensorrt" ? OrtProvider::kTensorRt : OrtProvider::kCpu;
}

const char* name_of(OrtProvider provider) noexcept {
  switch (provider) {
    case OrtProvider::kCuda:
      return "cuda";
    case OrtProvider::kTensorRt:
      return "cuda-tensorrt";
    case OrtProvider::kCpu:
      break;
  }
  return "cpu";
}

void require_provider(const OrtLibrary& library, OrtProvider provider) {
  if (provider == OrtProvider::kCpu) return;
  const std::string wanted =
      provider == OrtProvider::kCuda ? "CUDAExecutionProvider" : "TensorrtExecutionProvider";
  const std::vector<std::string> available = available_providers(library);
  if (std::find(available.begin(), available.end(), wanted) != available.end()) return;
  std::string list;
  for (const std::string& name : available) list += (list.empty() ? "" : ", ") + name;
  throw BackendError({.where = "ONNX Runtime",
                      .expected = "a library with the " + wanted,
                      .got = library.version() + " from " + library.path() + " with " + list,
                      .action =
                          "Install onnxruntime-gpu, on Jetson NVIDIA's own package of it, or load "
                          "with device=\"tensorrt\" or \"cpu\"."});
}

void append_provider(const OrtLibrary& library, OrtProvider provider, OrtSessionOptions& options,
                     const std::string& where) {
  if (provider == OrtProvider::kCpu) return;
  if (provider == OrtProvider::kTensorRt) append_tensorrt(library, options, where);
  append_cuda(library, options, where);
}

}  // namespace plait::detail
