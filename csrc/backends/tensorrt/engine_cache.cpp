// engine_cache.cpp: finding, storing, evicting; what is on the disk is never trusted.
#include "backends/tensorrt/engine_cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/quote.hpp"
#include "bundle/sha256.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

namespace fs = std::filesystem;
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

constexpr std::uint64_t kDefaultLimit = 10'000'000'000;
// Of the year 2255: a file's time may be later than 64 bits of nanoseconds can say.
constexpr std::int64_t kLatestSecond = 9'000'000'000;

const char* variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it here
  return value != nullptr && *value != '\0' ? value : nullptr;
}

constexpr auto kCarryOn = [] {};

std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

Time used_of(const fs::path& path) {
  const std::optional<struct stat> status = status_of(path);
  if (!status) return {};
  if (status->st_mtim.tv_sec < 0) return {};
  if (status->st_mtim.tv_sec > kLatestSecond) return Time(std::chrono::seconds(kLatestSecond));
  return Time(std::chrono::seconds(status->st_mtim.tv_sec) +
              std::chrono::nanoseconds(status->st_mtim.tv_nsec));
}

std::uint64_t bytes_of(const fs::path& path) {
  const std::optional<struct stat> status = status_of(path);
  return status ? static_cast<std::uint64_t>(status->st_size) : 0;
}

Descriptor open_to_read(const fs::path& path) {
  return Descriptor(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
}

/// What is wrong with a plan of that description; empty where nothing is.
std::string problem_of(const EngineDescription& description, std::span<const std::byte> plan) {
  if (plan.size() != description.bytes) {
    return "the plan has " + std::to_string(plan.size()) + " bytes instead of " +
           std::to_string(description.bytes) + ": truncated or foreign";
  }
  if (sha256_hex(plan) != description.sha256) return "the plan was altered: its SHA-256 differs";
  return {};
}

}  // namespace

fs::path EngineCache::default_folder() {
  if (const char* folder = variable("PLAIT_ENGINE_CACHE")) return folder;
  if (const char* cache = variable("XDG_CACHE_HOME")) return fs::path(cache) / "plait/engines";
  if (const char* home = variable("HOME")) return fs::path(home) / ".cache/plait/engines";
  throw ConfigError({.where = "engine cache",
                     .expected = "a folder for engines",
                     .got = "neither PLAIT_ENGINE_CACHE nor XDG_CACHE_HOME nor HOME",
                     .action = "Set PLAIT_ENGINE_CACHE."});
}

std::uint64_t EngineCache::default_limit_bytes() {
  const char* text = variable("PLAIT_ENGINE_CACHE_LIMIT");
  if (text == nullptr) return kDefaultLimit;
  char* end = nullptr;
  errno = 0;
  const std::uint64_t count = std::strtoull(text, &end, 10);
  const std::string_view unit(end);
  const std::uint64_t factor = unit.empty()   ? 1
                               : unit == "MB" ? 1'000'000
                               : unit == "GB" ? 1'000'000'000
                                              : 0;
  if (errno != 0 || *text < '0' || *text > '9' || count == 0 || factor == 0 ||
      count > UINT64_MAX / factor) {
    throw ConfigError({.where = "PLAIT_ENGINE_CACHE_LIMIT",
                       .expected = "a size such as 10GB, 500MB or a number of bytes",
                       .got = quote(text),
                       .action = "Set another."});
  }
  return count * factor;
}

EngineCache::EngineCache(fs::path folder, std::uint64_t limit_bytes)
    : folder_(std::move(folder)), limit_bytes_(limit_bytes) {}

fs::path EngineCache::path_of(const std::string& hex, const char* ending) const {
  return folder_ / (hex + ending);
}

FileLock EngineCache::lock_folder() const {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) {
    throw BackendError({.where = folder_.string(),
                        .expected = "a folder for engines",
                        .got = error.message(),
                        .action = "Set PLAIT_ENGINE_CACHE to a folder that you may write to."});
  }
  return *FileLock::acquire(folder_ / "cache.lock", FileLock::Mode::kExclusive,
                            FileLock::Wait::kYes, kCarryOn);
}

std::optional<FileLock> EngineCache::lock(const EngineKey& key, FileLock::Wait wait,
                                          FunctionRef<void()> interrupted) const {
  const std::string hex = key.hex();
  lock_folder();  // makes the folder
  return FileLock::acquire(path_of(hex, kLock), FileLock::Mode::kExclusive, wait, interrupted);
}

EngineLookup EngineCache::find(const EngineKey& key) const {
  const std::string hex = key.hex();
  try {
    std::optional<FileLock> quiet = FileLock::share(folder_ / "cache.lock");
    if (!status_of(path_of(hex, kDescription))) return {std::nullopt, why_not(key)};
    EngineDescription description = read_description(path_of(hex, kDescription));
    const fs::path path = path_of(hex, kPlan);
    Descriptor file = open_to_read(path);
    MappedFile plan(file.value(), path);
    // Where this can't be had, as on some network disks, eviction still leaves the mapping alone.
    ::flock(file.value(), LOCK_SH | LOCK_NB);
    quiet.reset();  // hashing takes long
    if (description.key.hex() != hex) {
      return {std::nullopt, path.string() + ": the engine of another key under this name"};
    }
    if (const std::string problem = problem_of(description, plan.bytes()); !problem.empty()) {
      return {std::nullopt, path.string() + ": " + problem};
    }
    touch(hex);
    return {CachedEngine(std::move(description), std::move(file), std::move(plan)), {}};
  } catch (const Error& error) {
    return {std::nullopt, error.parts().where + ": " + error.parts().got};
  }
}

std::string EngineCache::why_not(const EngineKey& key) const {
  const nlohmann::json canonical = nlohmann::json::parse(key.json());
  const EngineKey wanted = read_engine_key(JsonReader(canonical, "key", ""));
  std::string nearest;
  for (const std::string& hex : names_of(folder_)) {
    const EngineEntry other = entry(hex);
    const EngineKey& found = other.description.key;
    if (!other.problem.empty() || found.graph_sha256 != wanted.graph_sha256) continue;
    const std::string difference = difference_of(found, wanted);
    if (nearest.empty() || difference.size() < nearest.size()) nearest = difference;
  }
  if (nearest.empty()) return "no engine of this graph in " + folder_.string();
  return "the engine of this graph in " + folder_.string() + " was built for " + nearest;
}

std::string EngineCache::store(const EngineKey& key, std::span<const std::byte> plan,
                               std::string_view report) const {
  std::string hex = key.hex();
  if (plan.empty() || plan.size() > limit_bytes_) {
    throw ConfigError({.where = folder_.string(),
                       .expected = "an engine of 1 to " + std::to_string(limit_bytes_) + " bytes",
                       .got = std::to_string(plan.size()) + " bytes",
                       .action = "Set PLAIT_ENGINE_CACHE_LIMIT to a larger size."});
  }
  const std::string text = description_text(
      {.key = key,
       .sha256 = sha256_hex(plan),
       .bytes = plan.size(),
       .built = std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now()),
       .report = std::string(report)});

  FileLock quiet = lock_folder();
  sweep();
  Draft plan_draft(folder_, hex);
  Draft description_draft(folder_, hex);
  quiet.release();  // others go on while this is written

  plan_draft.write(plan);
  description_draft.write(std::as_bytes(std::span(text)));

  quiet = lock_folder();
  // Whatever moment this is ended at, no description stands beside a plan that it does not
  // describe; and what was there comes back where it fails.
  Aside old(path_of(hex, kPlan), path_of(hex, kDescription));
  plan_draft.publish(path_of(hex, kPlan));
  sync_folder(folder_);
  description_draft.publish(path_of(hex, kDescription));
  old.drop();
  touch(hex);
  make_room(plan.size(), hex);
  sync_folder(folder_);
  return hex;
}

EngineEntry EngineCache::entry(const std::string& hex) const {
  EngineEntry entry{.hex = hex, .description = {}, .used = {}, .problem = {}};
  const fs::path description = path_of(hex, kDescription);
  const fs::path plan = path_of(hex, kPlan);
  entry.used = used_of(description);
  if (!status_of(description)) {
    entry.problem = "a plan without a description: what stored it was ended";
    return entry;
  }
  try {
    entry.description = read_description(description);
    if (entry.description.key.hex() != hex) {
      entry.problem = "the engine of another key under this name";
    }
  } catch (const Error& error) {
    entry.problem = "the description can't be read: " + error.parts().got;
    return entry;
  }
  const std::optional<struct stat> status = status_of(plan);
  if (!status) {
    entry.problem = "a description without its plan";
  } else if (!S_ISREG(status->st_mode)) {
    entry.problem = "the plan is no regular file";
  } else if (static_cast<std::uint64_t>(status->st_size) != entry.description.bytes) {
    entry.problem = "the plan has " + std::to_string(status->st_size) + " bytes instead of " +
                    std::to_string(entry.description.bytes) + ": truncated or foreign";
  }
  return entry;
}

std::vector<EngineEntry> EngineCache::entries() const {
  const std::optional<FileLock> quiet = FileLock::share(folder_ / "cache.lock");
  std::vector<EngineEntry> entries;
  for (const std::string& hex : names_of(folder_)) entries.push_back(entry(hex));
  return entries;
}

std::vector<EngineEntry> EngineCache::verify() const {
  std::vector<EngineEntry> checked = entries();
  for (EngineEntry& entry : checked) hash(entry);
  return checked;
}

/// Adds the problem that only the whole plan shows.
void EngineCache::hash(EngineEntry& entry) const {
  if (!entry.problem.empty()) return;
  try {
    const fs::path path = path_of(entry.hex, kPlan);
    const Descriptor file = open_to_read(path);
    entry.problem = problem_of(entry.description, MappedFile(file.value(), path).bytes());
  } catch (const Error& error) {
    entry.problem = "the plan can't be read: " + error.parts().got;
  }
}

EngineClearing EngineCache::clear(bool only_damaged) const {
  EngineClearing done;
  std::error_code error;
  if (!fs::exists(folder_, error) && !error) return done;
  const std::vector<EngineEntry> all = only_damaged ? verify() : entries();
  const FileLock quiet = lock_folder();
  for (const EngineEntry& seen : all) {
    EngineEntry entry = seen;
    if (only_damaged && !seen.problem.empty()) {
      entry = this->entry(seen.hex);  // it may have been stored anew since
      hash(entry);
    }
    if (only_damaged && entry.problem.empty()) continue;
    const std::uint64_t bytes =
        bytes_of(path_of(entry.hex, kPlan)) + bytes_of(path_of(entry.hex, kDescription));
    if (remove(entry.hex)) {
      ++done.removed;
      done.bytes += bytes;
    } else {
      ++done.in_use;
    }
  }
  sweep();
  sync_folder(folder_);
  return done;
}

/// Deletes what killed processes left: drafts and locks that nobody holds, plans without a
/// description. Under the folder's lock, where no store is between its two files.
void EngineCache::sweep() const {
  for (const fs::path& path : files_of(folder_)) {
    const std::string hex = hex_of(path);
    const fs::path ending = path.extension();
    if (ending == kDraft || ending == kLock) {
      const Descriptor file = open_to_read(path);
      if (file && ::flock(file.value(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
    } else if (ending == kPlan && !status_of(path_of(hex, kDescription))) {
      remove(hex);
    }
  }
}

void EngineCache::make_room(std::uint64_t bytes, const std::string& hex) const {
  struct Candidate {
    Time used;
    std::string hex;
    std::uint64_t bytes;
  };
  std::vector<Candidate> others;
  std::uint64_t total = bytes;
  for (const std::string& name : names_of(folder_)) {
    if (name == hex) continue;
    others.push_back({used_of(path_of(name, kDescription)), name, bytes_of(path_of(name, kPlan))});
    total += others.back().bytes;
  }
  std::sort(others.begin(), others.end(),
            [](const Candidate& a, const Candidate& b) { return a.used < b.used; });
  for (const Candidate& other : others) {
    if (total <= limit_bytes_) return;
    try {
      if (remove(other.hex)) total -= other.bytes;
    } catch (const BackendError&) {
      continue;  // it stays until the next store, as one in use does
    }
  }
}

/// Deletes an engine, unless a process runs it. Under the folder's lock. Throws BackendError.
bool EngineCache::remove(const std::string& hex) const {
  const fs::path plan = path_of(hex, kPlan);
  const Descriptor file = open_to_read(plan);
  if (file && ::flock(file.value(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  // The description first: without one a plan is nothing.
  for (const fs::path& path : {path_of(hex, kDescription), plan}) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      throw BackendError({.where = path.string(),
                          .expected = "to delete an engine",
                          .got = std::generic_category().message(errno),
                          .action = "Check who may write to the folder."});
    }
  }
  return true;
}

/// Marks an engine as the one used last. The stamp is later than every other in the folder,
/// whatever the clock says: a device without a battery starts in 1970.
void EngineCache::touch(const std::string& hex) const noexcept {
  try {
    Time latest{};
    for (const std::string& name : names_of(folder_)) {
      latest = std::max(latest, used_of(path_of(name, kDescription)));
    }
    const auto now = std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now());
    const auto stamp = std::max(now, latest + Time::duration(1)).time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(stamp);
    timespec time{};
    time.tv_sec = seconds.count();
    time.tv_nsec = (stamp - seconds).count();
    const timespec times[2] = {time, time};
    ::utimensat(AT_FDCWD, path_of(hex, kDescription).c_str(), times, AT_SYMLINK_NOFOLLOW);
  } catch (const std::exception&) {
    return;  // the order of eviction is a matter of speed, and a read-only folder evicts nothing
  }
}

}  // namespace plait::detail
