// host_locks.hpp: page-locks memory that somebody else allocated, once however many bindings ask
// for it.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <utility>

#include "backends/tensorrt/cuda_runtime.hpp"

namespace plait::detail {

/// The page-locked ranges of a process: an encoder's output is the input of every head that reads
/// it. Thread-safe. Must outlive its locks.
class HostLocks {
 public:
  explicit HostLocks(const CudaRuntime& runtime) noexcept : runtime_(runtime) {}

  /// Keeps a range locked; empty where it is not. Movable. Must not outlive the memory.
  class Lock {
   public:
    Lock() = default;
    Lock(HostLocks& owner, void* memory) noexcept : owner_(&owner), memory_(memory) {}
    ~Lock() {
      if (memory_ != nullptr) owner_->release(memory_);
    }
    Lock(Lock&& other) noexcept
        : owner_(other.owner_), memory_(std::exchange(other.memory_, nullptr)) {}
    Lock& operator=(Lock&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(memory_, other.memory_);
      return *this;
    }
    explicit operator bool() const noexcept { return memory_ != nullptr; }

   private:
    HostLocks* owner_ = nullptr;
    void* memory_ = nullptr;
  };

  /// Empty where CUDA refuses: too much is locked, or the range shares a page with another.
  Lock lock(void* memory, std::size_t bytes);

 private:
  struct Range {
    std::size_t bytes = 0;
    std::size_t users = 0;
  };
  void release(void* memory) noexcept;

  const CudaRuntime& runtime_;
  std::mutex mutex_;
  std::map<void*, Range> ranges_;
};

}  // namespace plait::detail
