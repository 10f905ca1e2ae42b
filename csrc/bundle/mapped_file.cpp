// mapped_file.cpp: open, check, map; every failure a BundleError.
#include "bundle/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "plait/error.hpp"

namespace plait::detail {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, std::string got, std::string action) {
  throw BundleError({.where = path.string(),
                     .expected = "a readable bundle file",
                     .got = std::move(got),
                     .action = std::move(action)});
}

[[noreturn]] void refuse_errno(const std::filesystem::path& path, int error) {
  const std::string reason = std::generic_category().message(error);
  if (error == ENOENT || error == ENOTDIR) {
    refuse(path, "no such file", "Check the path.");
  }
  if (error == EACCES || error == EPERM) {
    refuse(path, reason, "Check who may read the file.");
  }
  refuse(path, reason, "Check the file and the disk it is on.");
}

/// Closes the descriptor when it goes; a mapping outlives it.
class Descriptor {
 public:
  explicit Descriptor(int value) noexcept : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int value() const noexcept { return value_; }

 private:
  int value_;
};

}  // namespace

// Not blocking: opening a named pipe would wait for a writer for ever.
MappedFile::MappedFile(const std::filesystem::path& path)
    : MappedFile(
          Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)).value(),
          path) {}

MappedFile::MappedFile(int descriptor, const std::filesystem::path& path) {
  if (descriptor < 0) refuse_errno(path, errno);

  struct stat status {};
  if (::fstat(descriptor, &status) != 0) refuse_errno(path, errno);
  if (S_ISDIR(status.st_mode)) {
    refuse(path, "a directory", "Pass the .plait file, not its folder.");
  }
  if (!S_ISREG(status.st_mode)) refuse(path, "no regular file", "Copy the bundle to a file first.");
  if (status.st_size == 0) refuse(path, "an empty file", "Copy or export the bundle again.");
  if (static_cast<std::uintmax_t>(status.st_size) > std::numeric_limits<std::size_t>::max()) {
    refuse(path, "a file larger than the address space", "Use a 64-bit system.");
  }

  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED) refuse_errno(path, errno);
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace plait::detail
