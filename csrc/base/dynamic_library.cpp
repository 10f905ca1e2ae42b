// dynamic_library.cpp: dlopen, dlsym and dladdr behind an owner.
#include "base/dynamic_library.hpp"

#include <dlfcn.h>

#include <utility>

namespace plait::detail {

DynamicLibrary::~DynamicLibrary() {
  if (handle_ != nullptr) dlclose(handle_);
}

DynamicLibrary::DynamicLibrary(DynamicLibrary&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)) {}

DynamicLibrary& DynamicLibrary::operator=(DynamicLibrary&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

DynamicLibrary DynamicLibrary::open(const std::string& path, std::string& error) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();  // NOLINT(concurrency-mt-unsafe): a thread's own in glibc
    error = reason != nullptr ? reason : "unknown reason";
  }
  return DynamicLibrary(handle);
}

void* DynamicLibrary::symbol(const char* name) const noexcept {
  return handle_ != nullptr ? dlsym(handle_, name) : nullptr;
}

std::string path_of_this_library() {
  Dl_info info{};
  const auto* here = reinterpret_cast<const void*>(&path_of_this_library);
  if (dladdr(here, &info) == 0 || info.dli_fname == nullptr) return {};
  return info.dli_fname;
}

}  // namespace plait::detail
