// cuda_runtime.hpp: CUDA's runtime library, opened at run time, and owners of what it hands out.
//
// Only functions whose meaning and arguments are the same in CUDA 11.4 and all later versions are
// used, so that one build runs with any of them.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/dynamic_library.hpp"
#include "base/function_ref.hpp"

namespace plait::detail {

using CudaError = int;  // cudaError_t; 0 is success
using CudaGraph = struct CUgraph_st*;
using CudaGraphExec = struct CUgraphExec_st*;

/// The functions of libcudart that the backend calls. Values of enumerations are in the .cpp file.
struct CudaFunctions {
  CudaError (*get_device_count)(int* count) = nullptr;
  CudaError (*get_device)(int* device) = nullptr;
  CudaError (*set_device)(int device) = nullptr;
  CudaError (*device_attribute)(int* value, int attribute, int device) = nullptr;
  CudaError (*device_properties)(void* properties, int device) = nullptr;
  CudaError (*runtime_version)(int* version) = nullptr;
  CudaError (*driver_version)(int* version) = nullptr;
  CudaError (*malloc)(void** memory, std::size_t bytes) = nullptr;
  CudaError (*free)(void* memory) = nullptr;
  CudaError (*host_alloc)(void** memory, std::size_t bytes, unsigned flags) = nullptr;
  CudaError (*host_free)(void* memory) = nullptr;
  CudaError (*host_register)(void* memory, std::size_t bytes, unsigned flags) = nullptr;
  CudaError (*host_unregister)(void* memory) = nullptr;
  CudaError (*host_device_pointer)(void** device, void* host, unsigned flags) = nullptr;
  CudaError (*memcpy_async)(void* to, const void* from, std::size_t bytes, int kind,
                            cudaStream_t stream) = nullptr;
  CudaError (*stream_create)(cudaStream_t* stream, unsigned flags) = nullptr;
  CudaError (*stream_destroy)(cudaStream_t stream) = nullptr;
  CudaError (*stream_synchronize)(cudaStream_t stream) = nullptr;
  CudaError (*begin_capture)(cudaStream_t stream, int mode) = nullptr;
  CudaError (*end_capture)(cudaStream_t stream, CudaGraph* graph) = nullptr;
  CudaError (*graph_instantiate)(CudaGraphExec* executable, CudaGraph graph,
                                 unsigned long long flags) = nullptr;
  CudaError (*graph_launch)(CudaGraphExec executable, cudaStream_t stream) = nullptr;
  CudaError (*graph_destroy)(CudaGraph graph) = nullptr;
  CudaError (*graph_exec_destroy)(CudaGraphExec executable) = nullptr;
  CudaError (*last_error)() = nullptr;
  const char* (*error_string)(CudaError error) = nullptr;
};

/// What engines depend on, and what decides how memory is shared.
struct CudaDevice {
  int index = 0;
  std::string name;                ///< "Orin"
  std::string compute_capability;  ///< "8.7"
  std::string driver;              ///< the newest CUDA that the driver serves: "12.6"
  bool integrated = false;         ///< the GPU works in the host's memory
  bool registers = false;          ///< host memory that exists can be page-locked
};

/// The opened library and the device that was current at that time. Opened once a process, never
/// closed.
class CudaRuntime {
 public:
  /// Looks at the path given, then $PLAIT_CUDART, then beside the Python package, then the sonames
  /// of CUDA 13 and 12, then /usr/local/cuda. Throws BackendError when none opens or no device
  /// answers, and ConfigError when the process already runs another. Thread-safe.
  static const CudaRuntime& get(const std::filesystem::path& wanted);

  explicit CudaRuntime(const std::filesystem::path& wanted);  // use get()

  const CudaFunctions& functions() const noexcept { return functions_; }
  const CudaDevice& device() const noexcept { return device_; }
  const std::string& path() const noexcept { return path_; }

  /// Throws BackendError when error is one, else allocates nothing. expected is its part: "a
  /// stream".
  void check(CudaError error, const std::string& where, std::string_view expected,
             std::string_view action = {}) const;
  /// Forgets an error that was expected, so that nobody else's check finds it.
  void forget_error() const noexcept { (void)functions_.last_error(); }

 private:
  void open(const std::filesystem::path& wanted);
  void find_functions();
  void find_device();
  int attribute(int which, const char* what) const;

  DynamicLibrary library_;
  CudaFunctions functions_;
  CudaDevice device_;
  std::string path_;
};

/// Makes the runtime's device current for this thread, and the former one again at the end.
class CudaDeviceGuard {
 public:
  CudaDeviceGuard(const CudaRuntime& runtime, const std::string& where);
  ~CudaDeviceGuard();
  CudaDeviceGuard(const CudaDeviceGuard&) = delete;
  CudaDeviceGuard& operator=(const CudaDeviceGuard&) = delete;

 private:
  const CudaRuntime& runtime_;
  int former_ = 0;
};

/// Owns a handle that one function of CUDA's gives back. Movable.
template <typename Handle>
class CudaOwner {
 public:
  using Release = CudaError (*)(Handle);
  CudaOwner() = default;
  CudaOwner(Handle handle, Release release) noexcept : handle_(handle), release_(release) {}
  ~CudaOwner() {
    if (handle_ != nullptr) (void)release_(handle_);
  }
  CudaOwner(CudaOwner&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), release_(other.release_) {}
  CudaOwner& operator=(CudaOwner&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(release_, other.release_);
    return *this;
  }
  Handle get() const noexcept { return handle_; }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

 private:
  Handle handle_ = nullptr;
  Release release_ = nullptr;
};

using CudaMemory = CudaOwner<void*>;
using CudaStreamOwner = CudaOwner<cudaStream_t>;
using CudaGraphExecOwner = CudaOwner<CudaGraphExec>;

/// Device memory, aligned to 256 bytes; at least one byte. Throws BackendError.
CudaMemory device_memory(const CudaRuntime& runtime, std::size_t bytes, const std::string& where);
/// Page-locked host memory; at least one byte. Throws BackendError.
CudaMemory pinned_memory(const CudaRuntime& runtime, std::size_t bytes, const std::string& where);
/// A stream that does not wait for the default one. Throws BackendError.
CudaStreamOwner make_stream(const CudaRuntime& runtime, const std::string& where);

/// Queue copies; memory has to be page-locked, or the call waits. Throw BackendError.
void copy_to_device(const CudaRuntime& runtime, void* device, const void* host, std::size_t bytes,
                    cudaStream_t stream, const std::string& where);
void copy_to_host(const CudaRuntime& runtime, void* host, const void* device, std::size_t bytes,
                  cudaStream_t stream, const std::string& where);

/// What queue() puts on the stream, as a graph that one launch repeats; empty where CUDA or
/// TensorRT cannot capture it, of which nothing remains. What queue throws is not passed on.
CudaGraphExecOwner capture(const CudaRuntime& runtime, cudaStream_t stream,
                           FunctionRef<void()> queue) noexcept;

}  // namespace plait::detail
