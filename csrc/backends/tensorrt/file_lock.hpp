// backends/tensorrt/file_lock.hpp: a lock between processes that ends with whoever holds it.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "base/function_ref.hpp"
#include "plait/export.hpp"

namespace plait::detail {

/// Owns an open file; closes it when it goes.
class PLAIT_API Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int value) noexcept : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor();
  int value() const noexcept { return value_; }
  explicit operator bool() const noexcept { return value_ >= 0; }

 private:
  int value_ = -1;
};

/// An advisory lock (flock) on a file that exists for it. Held until release(), the end of this
/// object or of the process, kill -9 included. Excludes threads of one process as it excludes
/// processes. Movable.
class PLAIT_API FileLock {
 public:
  enum class Mode { kShared, kExclusive };
  enum class Wait { kNo, kYes };

  /// Creates the file where it is missing. Nothing where somebody else holds it and wait is kNo.
  /// May block. interrupted is called when a signal ends the waiting, which then goes on: throw
  /// to give up. Throws BackendError where the file can't be made or locked.
  static std::optional<FileLock> acquire(const std::filesystem::path& path, Mode mode, Wait wait,
                                         FunctionRef<void()> interrupted);

  /// A shared lock on a file in a folder that may be read-only. Nothing where the file is missing
  /// or can't be locked: who can't write there needs no protection from himself.
  static std::optional<FileLock> share(const std::filesystem::path& path);

  void release() noexcept { file_ = Descriptor(); }
  bool held() const noexcept { return static_cast<bool>(file_); }

 private:
  explicit FileLock(Descriptor file) : file_(std::move(file)) {}

  Descriptor file_;
};

}  // namespace plait::detail
