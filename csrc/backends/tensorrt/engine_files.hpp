// backends/tensorrt/engine_files.hpp: the two files of a cached engine, written whole or not at
// all.
//
// HEX.plan is the engine alone, byte for byte. HEX.json beside it says what it is: the key, the
// plan's size and SHA-256, when it was built, and the builder's report. Written last, it is what
// makes the plan an engine of the cache.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/tensorrt/engine_key.hpp"
#include "backends/tensorrt/file_lock.hpp"

namespace plait::detail {

/// The cache's files are named by the key's hexadecimal digits and one of these.
inline constexpr std::size_t kHexDigits = 64;
inline constexpr const char* kPlan = ".plan";
inline constexpr const char* kDescription = ".json";
inline constexpr const char* kLock = ".lock";
inline constexpr const char* kDraft = ".tmp";

/// The hexadecimal name that a file of the cache begins with; empty for a file of another kind.
std::string hex_of(const std::filesystem::path& path);
/// The files in the folder that are the cache's, in order; none where it can't be read.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder);
/// The names of engines: whatever has a plan or a description.
std::set<std::string> names_of(const std::filesystem::path& folder);

/// What HEX.json says.
struct EngineDescription {
  EngineKey key;
  std::string sha256;       ///< of the plan
  std::uint64_t bytes = 0;  ///< of the plan
  std::chrono::sys_time<std::chrono::nanoseconds> built;
  std::string report;  ///< the builder's, one JSON object
};

/// Throws BundleError for text that describes no engine, or is longer than 64 MiB.
EngineDescription parse_description(std::string_view text, const std::string& where);

/// Throws ConfigError for a key or a report that makes none.
std::string description_text(const EngineDescription& description);

/// The same of a file. Throws BundleError too where it can't be read or is no regular file.
EngineDescription read_description(const std::filesystem::path& path);

/// A file being written, under a name that no reader looks at. Gone unless published. Holds a lock
/// on it, so that a sweep tells it from what a killed process left.
class Draft {
 public:
  /// folder/stem.XXXXXX.tmp. Throws BackendError.
  Draft(const std::filesystem::path& folder, const std::string& stem);
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft();

  /// Writes and waits until the disk has it. Throws BackendError: the disk is full, or broken.
  void write(std::span<const std::byte> bytes);
  /// Gives it its name, in the place of what had it. Throws BackendError.
  void publish(const std::filesystem::path& path);

 private:
  std::string name_;
  Descriptor file_;
};

/// The two files of an engine under names that no reader looks at, while others take theirs. Back
/// in their places unless dropped. Under the folder's lock.
class Aside {
 public:
  Aside(const std::filesystem::path& plan, const std::filesystem::path& description);
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  ~Aside();

  /// Deletes them: they are not needed any more.
  void drop() noexcept;

 private:
  struct File {
    std::string place;
    std::string meanwhile;
  };
  // The description leaves first and comes back last: without one a plan is nothing.
  File files_[2];
};

/// Waits until the disk has the folder's names. A file system that can't is left alone.
void sync_folder(const std::filesystem::path& folder) noexcept;

}  // namespace plait::detail
