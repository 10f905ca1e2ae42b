// backends/tensorrt/engine_cache.hpp: built engines on disk, found again only where they fit.
//
// One folder, two files an engine (engine_files.hpp), named by the key's hash (engine_key.hpp).
// Nothing that differs from what was stored, or was stored under another key, is ever handed out.
// Any number of processes and threads may use one folder at once; each may be killed at any time.
// The hashes find damage, not malice: an engine is code, and who may write the folder may put
// theirs in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/tensorrt/engine_files.hpp"
#include "backends/tensorrt/file_lock.hpp"
#include "base/function_ref.hpp"
#include "bundle/mapped_file.hpp"
#include "plait/export.hpp"

namespace plait::detail {

/// One engine as the folder has it.
struct EngineEntry {
  std::string hex;                                       ///< of the key: the files' name
  EngineDescription description;                         ///< empty where it can't be read
  std::chrono::sys_time<std::chrono::nanoseconds> used;  ///< when it was last found or stored
  std::string problem;  ///< why it is never handed out: "truncated: ..."; empty where it may be
};

/// An engine found whole. Owns its mapping; the plan is valid as long as this lives, whatever
/// becomes of the file, and is not evicted meanwhile. Movable.
class CachedEngine {
 public:
  CachedEngine(EngineDescription description, Descriptor file, MappedFile plan)
      : description_(std::move(description)), file_(std::move(file)), plan_(std::move(plan)) {}
  std::span<const std::byte> plan() const noexcept { return plan_.bytes(); }
  const EngineDescription& description() const noexcept { return description_; }

 private:
  EngineDescription description_;
  Descriptor file_;  // holds a shared lock
  MappedFile plan_;
};

/// The engine, or in one sentence without a stop why there is none that may run: "no engine of
/// this graph in ..." or "there is one for TensorRT '10.3.0' instead of '10.14.1'".
struct EngineLookup {
  std::optional<CachedEngine> engine;
  std::string why_not;
};

/// What clear() did.
struct EngineClearing {
  std::size_t removed = 0;  ///< engines
  std::uint64_t bytes = 0;  ///< of their files
  std::size_t in_use = 0;   ///< engines left, because a process runs them
};

/// Thread-safe. Every method may block on the disk and, for a short time, on another process.
class PLAIT_API EngineCache {
 public:
  /// $PLAIT_ENGINE_CACHE, else $XDG_CACHE_HOME/plait/engines, else ~/.cache/plait/engines. Throws
  /// ConfigError where none of the three is set.
  static std::filesystem::path default_folder();
  /// $PLAIT_ENGINE_CACHE_LIMIT (10GB, 500MB or bytes), else 10 GB. Throws ConfigError for another.
  static std::uint64_t default_limit_bytes();

  /// The folder is made when something is stored. limit_bytes: of all plans together.
  explicit EngineCache(std::filesystem::path folder = default_folder(),
                       std::uint64_t limit_bytes = default_limit_bytes());

  const std::filesystem::path& folder() const noexcept { return folder_; }
  std::uint64_t limit_bytes() const noexcept { return limit_bytes_; }

  /// Reads and hashes the whole plan. A read-only folder will do. Throws ConfigError for a key
  /// that makes no sense; whatever is wrong with the files is in why_not.
  EngineLookup find(const EngineKey& key) const;

  /// For who builds: nobody else holds the same key's lock meanwhile. Waits for it, or returns
  /// nothing where it is taken and wait is kNo. interrupted: see FileLock. Throws BackendError
  /// where the folder can't be written. find() and store() don't ask for it.
  std::optional<FileLock> lock(const EngineKey& key, FileLock::Wait wait,
                               FunctionRef<void()> interrupted) const;

  /// Stores an engine in the place of what had the key. report: one JSON object. Engines that were
  /// not used for longest go until all fit; those that a process runs stay, and the limit may be
  /// passed by them until the next store. Returns the files' name. Throws ConfigError for a plan
  /// that is empty or alone larger than the limit, BackendError where it can't be written; then
  /// everything is as it was.
  std::string store(const EngineKey& key, std::span<const std::byte> plan,
                    std::string_view report) const;

  /// Every engine, in the names' order, without hashing the plans: a problem says what is plain.
  std::vector<EngineEntry> entries() const;
  /// The same, every plan read and hashed.
  std::vector<EngineEntry> verify() const;
  /// Deletes engines, or only those with a problem (hashing all), and what killed processes left.
  /// Files of other kinds in the folder stay. Throws BackendError where it can't be written.
  EngineClearing clear(bool only_damaged = false) const;

 private:
  std::filesystem::path path_of(const std::string& hex, const char* ending) const;
  FileLock lock_folder() const;
  std::string why_not(const EngineKey& key) const;
  EngineEntry entry(const std::string& hex) const;
  void hash(EngineEntry& entry) const;
  void sweep() const;
  void make_room(std::uint64_t bytes, const std::string& hex) const;
  bool remove(const std::string& hex) const;
  void touch(const std::string& hex) const noexcept;

  std::filesystem::path folder_;
  std::uint64_t limit_bytes_;
};

}  // namespace plait::detail
