// bundle/mapped_file.hpp: a regular file, mapped read-only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "plait/export.hpp"

namespace plait::detail {

/// Owns the mapping; bytes() is valid as long as it lives, whatever becomes of the file's name.
/// Movable. A file that another process truncates while it is mapped ends this process (SIGBUS),
/// as with every mapped library: replace bundles by renaming, never by writing into them.
class PLAIT_API MappedFile {
 public:
  /// Throws BundleError for what is missing, unreadable, empty, or not a regular file.
  explicit MappedFile(const std::filesystem::path& path);
  /// Maps a file that is open already, and stays the caller's to close. path is for messages; a
  /// negative descriptor is refused with errno's reason. Throws as the other one.
  MappedFile(int descriptor, const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace plait::detail
