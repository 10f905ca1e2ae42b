// file_lock.cpp: flock, and a check that the file locked is still the one of that name.
#include "backends/tensorrt/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "plait/error.hpp"

namespace plait::detail {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, int error) {
  throw BackendError({.where = path.string(),
                      .expected = "a file to lock",
                      .got = std::generic_category().message(error),
                      .action = "Set PLAIT_ENGINE_CACHE to a folder on a local disk that you may "
                                "write to."});
}

/// Whether the open file is what the path names: the last holder may have deleted it meanwhile.
bool is_current(const Descriptor& file, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file.value(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

Descriptor::~Descriptor() {
  if (value_ >= 0) ::close(value_);
}

std::optional<FileLock> FileLock::acquire(const std::filesystem::path& path, Mode mode, Wait wait,
                                          FunctionRef<void()> interrupted) {
  const int kind = mode == Mode::kShared ? LOCK_SH : LOCK_EX;
  for (;;) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file) refuse(path, errno);
    while (::flock(file.value(), wait == Wait::kYes ? kind : kind | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      if (errno != EINTR) refuse(path, errno);
      interrupted();
    }
    if (is_current(file, path)) return FileLock(std::move(file));
  }
}

std::optional<FileLock> FileLock::share(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return std::nullopt;
  while (::flock(file.value(), LOCK_SH) != 0) {
    if (errno != EINTR) return std::nullopt;
  }
  return FileLock(std::move(file));
}

}  // namespace plait::detail
