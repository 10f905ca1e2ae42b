// cuda_buffer.cpp: memory on both sides, or one that both reach.
#include "backends/tensorrt/cuda_buffer.hpp"

namespace plait::detail {

CudaBuffer::CudaBuffer(const CudaRuntime& runtime, std::size_t bytes, const std::string& where)
    : runtime_(runtime), where_(where), pinned_(pinned_memory(runtime, bytes, where)) {
  void* device = nullptr;
  if (runtime.device().integrated) {
    runtime.check(runtime.functions().host_device_pointer(&device, pinned_.get(), 0), where,
                  "page-locked memory that the device can reach");
  } else {
    device_memory_ = device_memory(runtime, bytes, where);
    device = device_memory_.get();
  }
  device_ = static_cast<std::byte*>(device);
}

void CudaBuffer::queue_upload(std::size_t bytes, CUstream_st* stream) {
  if (!device_memory_) return;
  copy_to_device(runtime_, device_, pinned_.get(), bytes, stream, where_);
}

}  // namespace plait::detail
