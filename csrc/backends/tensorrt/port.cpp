// port.cpp: how an engine comes to the caller's memory.
#include "backends/tensorrt/port.hpp"

#include <cstdint>
#include <cstring>

namespace plait::detail {
namespace {

constexpr std::size_t kAlignment = 256;  // of every address that TensorRT takes

// Locking pages is a system call that lasts; a small buffer is sooner copied than locked.
constexpr std::size_t kLeastLocked = std::size_t{64} << 10U;

std::size_t aligned(std::size_t bytes) noexcept {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Port::Port(const CudaRuntime& runtime, HostLocks& locks, const char* name, const TensorView& view,
           std::size_t batches, const std::string& where)
    : runtime_(&runtime),
      name_(name),
      host_(static_cast<std::byte*>(view.data)),
      batches_(batches),
      batch_bytes_(view.bytes() / batches),
      stride_(aligned(batch_bytes_)) {
  if (runtime.device().integrated) {
    share(locks, where);
  } else {
    copy(locks, where);
  }
}

/// An integrated GPU works in the host's memory: in the caller's, or in a buffer that the host
/// copies to.
void Port::share(HostLocks& locks, const std::string& where) {
  const bool fits = reinterpret_cast<std::uintptr_t>(host_) % kAlignment == 0 &&
                    (batches_ == 1 || stride_ == batch_bytes_) && batch_bytes_ > 0;
  if (fits && runtime_->device().registers) lock_ = locks.lock(host_, batches_ * batch_bytes_);
  if (!lock_) pinned_ = pinned_memory(*runtime_, batches_ * stride_, where);
  void* const reachable = lock_ ? host_ : pinned_.get();
  void* device = nullptr;
  runtime_->check(runtime_->functions().host_device_pointer(&device, reachable, 0), where,
                  "page-locked memory that the device can reach");
  device_ = static_cast<std::byte*>(device);
}

void Port::copy(HostLocks& locks, const std::string& where) {
  const std::size_t bytes = batches_ * batch_bytes_;
  if (bytes >= kLeastLocked && runtime_->device().registers) lock_ = locks.lock(host_, bytes);
  if (!lock_) pinned_ = pinned_memory(*runtime_, batches_ * stride_, where);
  device_memory_ = device_memory(*runtime_, batches_ * stride_, where);
  device_ = static_cast<std::byte*>(device_memory_.get());
}

void Port::gather() const noexcept {
  if (!pinned_) return;
  auto* const to = static_cast<std::byte*>(pinned_.get());
  for (std::size_t i = 0; i < batches_; ++i) {
    std::memcpy(to + i * stride_, host_ + i * batch_bytes_, batch_bytes_);
  }
}

void Port::scatter() const noexcept {
  if (!pinned_) return;
  const auto* const from = static_cast<const std::byte*>(pinned_.get());
  for (std::size_t i = 0; i < batches_; ++i) {
    std::memcpy(host_ + i * batch_bytes_, from + i * stride_, batch_bytes_);
  }
}

void Port::queue_upload(cudaStream_t stream, const std::string& where) const {
  if (!device_memory_) return;
  const std::byte* const from = pinned_ ? static_cast<const std::byte*>(pinned_.get()) : host_;
  const std::size_t from_stride = pinned_ ? stride_ : batch_bytes_;
  for (std::size_t i = 0; i < batches_; ++i) {
    copy_to_device(*runtime_, device_ + i * stride_, from + i * from_stride, batch_bytes_, stream,
                   where);
  }
}

void Port::queue_download(cudaStream_t stream, const std::string& where) const {
  if (!device_memory_) return;
  std::byte* const to = pinned_ ? static_cast<std::byte*>(pinned_.get()) : host_;
  const std::size_t to_stride = pinned_ ? stride_ : batch_bytes_;
  for (std::size_t i = 0; i < batches_; ++i) {
    copy_to_host(*runtime_, to + i * to_stride, device_ + i * stride_, batch_bytes_, stream, where);
  }
}

}  // namespace plait::detail
