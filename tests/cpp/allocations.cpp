// allocations.cpp: replaces operator new by one that looks at who calls it.
#include "allocations.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace plait::testing_support {
namespace {

thread_local bool counting = false;
thread_local std::size_t counted = 0;

void* base_of(const void* address) noexcept {
  Dl_info info{};
  return dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

void note(const void* caller) noexcept {
  if (!counting) return;
  counting = false;  // dladdr may allocate
  if (base_of(caller) == base_of(reinterpret_cast<const void*>(&base_of))) ++counted;
  counting = true;
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes == 0 ? 1 : bytes) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

AllocationCounter::AllocationCounter() noexcept {
  counted = 0;
  counting = true;
}

AllocationCounter::~AllocationCounter() { counting = false; }

std::size_t AllocationCounter::count() const noexcept { return counted; }

}  // namespace plait::testing_support

using plait::testing_support::allocate;
using plait::testing_support::note;

void* operator new(std::size_t bytes) {
  note(__builtin_return_address(0));
  return allocate(bytes, alignof(std::max_align_t));
}

void* operator new[](std::size_t bytes) {
  note(__builtin_return_address(0));
  return allocate(bytes, alignof(std::max_align_t));
}

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  note(__builtin_return_address(0));
  return allocate(bytes, static_cast<std::size_t>(alignment));
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
