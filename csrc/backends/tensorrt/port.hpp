// port.hpp: one input or output of a bound engine: the caller's memory, the engine's, and the way
// between.
#pragma once

#include <cstddef>
#include <string>

#include "backends/tensorrt/cuda_runtime.hpp"
#include "backends/tensorrt/host_locks.hpp"
#include "plait/tensor.hpp"

namespace plait::detail {

/// Where the caller's memory is not an engine's (a discrete GPU, or memory that TensorRT does not
/// take as it lies), a port copies: by the device's own engine from page-locked memory, through a
/// page-locked buffer of the port's where the caller's memory is not locked. Not thread-safe.
class Port {
 public:
  /// view: of all batches, which lie one after another; batches >= 1. name is TensorRT's, of the
  /// engine's lifetime. Page-locks or allocates what is needed. Throws BackendError.
  Port(const CudaRuntime& runtime, HostLocks& locks, const char* name, const TensorView& view,
       std::size_t batches, const std::string& where);

  const char* name() const noexcept { return name_; }
  /// What the engine reads or writes for a batch; aligned to 256 bytes.
  void* address(std::size_t batch) const noexcept { return device_ + batch * stride_; }

  /// Before and after what is queued: between the caller's memory and a buffer the host can reach.
  void gather() const noexcept;
  void scatter() const noexcept;
  /// Queue what the device copies itself. Throw BackendError.
  void queue_upload(cudaStream_t stream, const std::string& where) const;
  void queue_download(cudaStream_t stream, const std::string& where) const;

 private:
  void share(HostLocks& locks, const std::string& where);
  void copy(HostLocks& locks, const std::string& where);

  const CudaRuntime* runtime_;
  const char* name_;
  std::byte* host_;
  std::size_t batches_;
  std::size_t batch_bytes_;
  std::size_t stride_;           // from batch to batch, of device_ and pinned_
  std::byte* device_ = nullptr;  // the engine's
  HostLocks::Lock lock_;         // of host_
  CudaMemory pinned_;            // where host_ is not locked
  CudaMemory device_memory_;     // where the engine works in memory of its own
};

}  // namespace plait::detail
