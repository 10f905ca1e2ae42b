// host_locks.cpp: counts who uses a page-locked range.
#include "backends/tensorrt/host_locks.hpp"

namespace plait::detail {

HostLocks::Lock HostLocks::lock(void* memory, std::size_t bytes) {
  const std::lock_guard guard(mutex_);
  const auto [found, added] = ranges_.try_emplace(memory, Range{.bytes = bytes, .users = 0});
  if (added) {
    constexpr unsigned kPortableAndMapped = 3;
    const CudaFunctions& cuda = runtime_.functions();
    if (cuda.host_register(memory, bytes, kPortableAndMapped) != 0) {
      runtime_.forget_error();
      ranges_.erase(found);
      return {};
    }
  }
  if (found->second.bytes != bytes) return {};
  ++found->second.users;
  return {*this, memory};
}

void HostLocks::release(void* memory) noexcept {
  const std::lock_guard guard(mutex_);
  const auto found = ranges_.find(memory);
  if (--found->second.users > 0) return;
  ranges_.erase(found);
  (void)runtime_.functions().host_unregister(memory);
}

}  // namespace plait::detail
