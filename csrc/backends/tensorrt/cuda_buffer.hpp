// cuda_buffer.hpp: page-locked memory, and the device's memory that it is copied to.
#pragma once

#include <string>

#include "backends/backend.hpp"
#include "backends/tensorrt/cuda_runtime.hpp"

namespace plait::detail {

/// Of a GPU that works in the host's memory: page-locked memory that both reach, and no copy.
class CudaBuffer final : public DeviceBuffer {
 public:
  /// Of the current device. Throws BackendError.
  CudaBuffer(const CudaRuntime& runtime, std::size_t bytes, const std::string& where);

  std::byte* host() noexcept override { return static_cast<std::byte*>(pinned_.get()); }
  std::byte* device() noexcept override { return device_; }
  void queue_upload(std::size_t bytes, CUstream_st* stream) override;

 private:
  const CudaRuntime& runtime_;
  std::string where_;
  CudaMemory pinned_;
  CudaMemory device_memory_;  // empty where the device reaches pinned_
  std::byte* device_ = nullptr;
};

}  // namespace plait::detail
