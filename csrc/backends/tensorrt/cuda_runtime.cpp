// cuda_runtime.cpp: finds libcudart and the device, and makes memory, streams and graphs.
#include "backends/tensorrt/cuda_runtime.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <mutex>

#include "backends/tensorrt/search.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

// Values of CUDA's enumerations, which never change.
constexpr int kAttributeIntegrated = 18;
constexpr int kAttributeMajor = 75;
constexpr int kAttributeMinor = 76;
constexpr int kAttributeHostRegister = 99;
constexpr int kHostToDevice = 1;
constexpr int kDeviceToHost = 2;
constexpr int kCaptureThisThread = 1;
constexpr unsigned kStreamNonBlocking = 1;

constexpr const char* kWhere = "CUDA";
constexpr const char* kAction =
    "Install the CUDA runtime that fits the driver, or name its libcudart.so in PLAIT_CUDART.";

constexpr const char* kNoDevice =
    "Is a driver as new as this CUDA there? `nvidia-smi`, on Jetson `tegrastats`, shows it. Or "
    "load "
    "with device=\"cpu\".";

/// "12.6" of 12060.
std::string version_text(int version) {
  constexpr int kMajor = 1000;
  constexpr int kMinor = 10;
  return std::to_string(version / kMajor) + "." + std::to_string(version % kMajor / kMinor);
}

}  // namespace

CudaRuntime::CudaRuntime(const std::filesystem::path& wanted) {
  open(wanted);
  find_functions();
  find_device();
}

void CudaRuntime::open(const std::filesystem::path& wanted) {
  const LibrarySearch search{.wanted = wanted,
                             .variable = "PLAIT_CUDART",
                             .package_folders = {"nvidia/cu13/lib", "nvidia/cuda_runtime/lib"},
                             .names = {"libcudart.so.13", "libcudart.so.12"},
                             .system_paths = {"/usr/local/cuda/lib64/libcudart.so"}};
  std::string tried;
  library_ = open_first(search, path_, tried);
  if (library_) return;
  throw BackendError(
      {.where = kWhere, .expected = "libcudart", .got = "none: " + tried, .action = kAction});
}

void CudaRuntime::find_functions() {
  std::string missing;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(library_.symbol(name));
    if (function == nullptr) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
  find(functions_.get_device_count, "cudaGetDeviceCount");
  find(functions_.get_device, "cudaGetDevice");
  find(functions_.set_device, "cudaSetDevice");
  find(functions_.device_attribute, "cudaDeviceGetAttribute");
  find(functions_.device_properties, "cudaGetDeviceProperties");
  find(functions_.runtime_version, "cudaRuntimeGetVersion");
  find(functions_.driver_version, "cudaDriverGetVersion");
  find(functions_.malloc, "cudaMalloc");
  find(functions_.free, "cudaFree");
  find(functions_.host_alloc, "cudaHostAlloc");
  find(functions_.host_free, "cudaFreeHost");
  find(functions_.host_register, "cudaHostRegister");
  find(functions_.host_unregister, "cudaHostUnregister");
  find(functions_.host_device_pointer, "cudaHostGetDevicePointer");
  find(functions_.memcpy_async, "cudaMemcpyAsync");
  find(functions_.stream_create, "cudaStreamCreateWithFlags");
  find(functions_.stream_destroy, "cudaStreamDestroy");
  find(functions_.stream_synchronize, "cudaStreamSynchronize");
  find(functions_.begin_capture, "cudaStreamBeginCapture");
  find(functions_.end_capture, "cudaStreamEndCapture");
  find(functions_.graph_instantiate, "cudaGraphInstantiateWithFlags");
  find(functions_.graph_launch, "cudaGraphLaunch");
  find(functions_.graph_destroy, "cudaGraphDestroy");
  find(functions_.graph_exec_destroy, "cudaGraphExecDestroy");
  find(functions_.last_error, "cudaGetLastError");
  find(functions_.error_string, "cudaGetErrorString");
  if (missing.empty()) return;
  throw BackendError({.where = kWhere,
                      .expected = "libcudart of CUDA 11.4 or newer",
                      .got = path_ + " without " + missing,
                      .action = kAction});
}

void CudaRuntime::find_device() {
  int version = 0;
  check(functions_.driver_version(&version), kWhere, "the driver's version", kNoDevice);
  device_.driver = version_text(version);
  int count = 0;
  check(functions_.get_device_count(&count), kWhere, "a count of devices", kNoDevice);
  if (count < 1) {
    throw BackendError(
        {.where = kWhere, .expected = "a CUDA device", .got = "none", .action = kNoDevice});
  }
  check(functions_.get_device(&device_.index), kWhere, "the current device");
  device_.compute_capability = std::to_string(attribute(kAttributeMajor, "compute capability")) +
                               "." +
                               std::to_string(attribute(kAttributeMinor, "compute capability"));
  device_.integrated = attribute(kAttributeIntegrated, "kind of memory") != 0;
  device_.registers = attribute(kAttributeHostRegister, "page-locking") != 0;
  // cudaDeviceProp grows from version to version, but its first member always is char name[256].
  constexpr std::size_t kNameBytes = 256;
  constexpr std::size_t kMostBytes = 16384;
  alignas(std::max_align_t) std::array<char, kMostBytes> properties{};
  check(functions_.device_properties(properties.data(), device_.index), kWhere, "a device's name");
  device_.name.assign(properties.data(), strnlen(properties.data(), kNameBytes));
}

int CudaRuntime::attribute(int which, const char* what) const {
  int value = 0;
  check(functions_.device_attribute(&value, which, device_.index), kWhere,
        std::string("the device's ") + what);
  return value;
}

const CudaRuntime& CudaRuntime::get(const std::filesystem::path& wanted) {
  static std::mutex mutex;
  static const CudaRuntime* opened = nullptr;  // lives as long as the process, on purpose
  const std::lock_guard lock(mutex);
  if (opened == nullptr) opened = std::make_unique<const CudaRuntime>(wanted).release();
  require_same_library(kWhere, opened->path_, wanted);
  return *opened;
}

void CudaRuntime::check(CudaError error, const std::string& where, std::string_view expected,
                        std::string_view action) const {
  if (error == 0) return;
  forget_error();
  const char* text = functions_.error_string(error);
  throw BackendError(
      {.where = where,
       .expected = std::string(expected),
       .got = "CUDA error " + std::to_string(error) + ": " + (text != nullptr ? text : "unknown"),
       .action = std::string(action)});
}

CudaDeviceGuard::CudaDeviceGuard(const CudaRuntime& runtime, const std::string& where)
    : runtime_(runtime) {
  const CudaFunctions& cuda = runtime_.functions();
  runtime_.check(cuda.get_device(&former_), where, "the current device");
  if (former_ == runtime_.device().index) return;
  runtime_.check(cuda.set_device(runtime_.device().index), where, "the device to be current");
}

CudaDeviceGuard::~CudaDeviceGuard() {
  if (former_ != runtime_.device().index) (void)runtime_.functions().set_device(former_);
}

CudaMemory device_memory(const CudaRuntime& runtime, std::size_t bytes, const std::string& where) {
  const CudaFunctions& cuda = runtime.functions();
  void* memory = nullptr;
  runtime.check(cuda.malloc(&memory, std::max<std::size_t>(bytes, 1)), where,
                std::to_string(bytes) + " bytes of device memory");
  return {memory, cuda.free};
}

CudaMemory pinned_memory(const CudaRuntime& runtime, std::size_t bytes, const std::string& where) {
  const CudaFunctions& cuda = runtime.functions();
  void* memory = nullptr;
  runtime.check(cuda.host_alloc(&memory, std::max<std::size_t>(bytes, 1), 0), where,
                std::to_string(bytes) + " bytes of page-locked memory");
  return {memory, cuda.host_free};
}

CudaStreamOwner make_stream(const CudaRuntime& runtime, const std::string& where) {
  const CudaFunctions& cuda = runtime.functions();
  cudaStream_t stream = nullptr;
  runtime.check(cuda.stream_create(&stream, kStreamNonBlocking), where, "a stream");
  return {stream, cuda.stream_destroy};
}

void copy_to_device(const CudaRuntime& runtime, void* device, const void* host, std::size_t bytes,
                    cudaStream_t stream, const std::string& where) {
  const CudaError error =
      runtime.functions().memcpy_async(device, host, bytes, kHostToDevice, stream);
  runtime.check(error, where, "an input copied to the device");
}

void copy_to_host(const CudaRuntime& runtime, void* host, const void* device, std::size_t bytes,
                  cudaStream_t stream, const std::string& where) {
  const CudaError error =
      runtime.functions().memcpy_async(host, device, bytes, kDeviceToHost, stream);
  runtime.check(error, where, "an output copied from the device");
}

CudaGraphExecOwner capture(const CudaRuntime& runtime, cudaStream_t stream,
                           FunctionRef<void()> queue) noexcept {
  const CudaFunctions& cuda = runtime.functions();
  if (cuda.begin_capture(stream, kCaptureThisThread) != 0) {
    runtime.forget_error();
    return {};
  }
  bool queued = true;
  try {
    queue();
  } catch (...) {
    queued = false;  // the caller queues it without a graph, and sees then what is wrong
  }
  CudaGraph graph = nullptr;
  const bool captured = cuda.end_capture(stream, &graph) == 0 && graph != nullptr && queued;
  CudaGraphExec executable = nullptr;
  const bool ready = captured && cuda.graph_instantiate(&executable, graph, 0) == 0;
  if (graph != nullptr) (void)cuda.graph_destroy(graph);
  if (ready) return {executable, cuda.graph_exec_destroy};
  runtime.forget_error();
  return {};
}

}  // namespace plait::detail
