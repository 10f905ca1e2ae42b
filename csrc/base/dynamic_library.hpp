// dynamic_library.hpp: a shared library opened at run time, closed when its owner goes.
#pragma once

#include <string>

namespace plait::detail {

/// Movable owner of a dlopen handle. Symbols are looked up in this library only (RTLD_LOCAL).
class DynamicLibrary {
 public:
  DynamicLibrary() = default;
  ~DynamicLibrary();
  DynamicLibrary(DynamicLibrary&& other) noexcept;
  DynamicLibrary& operator=(DynamicLibrary&& other) noexcept;

  /// Opens a path or a soname. Returns an empty library and fills error when that fails.
  static DynamicLibrary open(const std::string& path, std::string& error);

  explicit operator bool() const noexcept { return handle_ != nullptr; }
  /// nullptr when the library has no such symbol.
  void* symbol(const char* name) const noexcept;

 private:
  explicit DynamicLibrary(void* handle) noexcept : handle_(handle) {}
  void* handle_ = nullptr;
};

/// The file that holds this very code (libplait.so, or a program that links it statically); empty
/// when the loader does not know.
std::string path_of_this_library();

}  // namespace plait::detail
