// engine_files.cpp: parsing and writing of an engine's description; files that appear whole.
#include "backends/tensorrt/engine_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "bundle/mapped_file.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

namespace fs = std::filesystem;

using nlohmann::json;

constexpr int kFormat = 1;
constexpr std::size_t kMaxDescription = 64U << 20;
constexpr std::size_t kMostAtOnce = 1U << 30;  // one write() takes at most 2 GiB

[[noreturn]] void refuse_write(const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EFBIG || error == EDQUOT;
  throw BackendError({.where = path,
                      .expected = "to write an engine",
                      .got = std::generic_category().message(error),
                      .action = full
                                    ? "Free space (`plait cache clear`), or set "
                                      "PLAIT_ENGINE_CACHE to a folder on a larger disk."
                                    : "Set PLAIT_ENGINE_CACHE to a folder that you may write to."});
}

}  // namespace

std::string hex_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.size() <= kHexDigits || name[kHexDigits] != '.') return {};
  const std::string hex = name.substr(0, kHexDigits);
  return hex.find_first_not_of("0123456789abcdef") == std::string::npos ? hex : std::string();
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator file(folder, error), end; !error && file != end;
       file.increment(error)) {
    if (!hex_of(file->path()).empty()) files.push_back(file->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::set<std::string> names_of(const fs::path& folder) {
  std::set<std::string> names;
  for (const fs::path& file : files_of(folder)) {
    const std::string hex = hex_of(file);
    const std::string ending = file.filename().string().substr(kHexDigits);
    if (ending == kPlan || ending == kDescription) names.insert(hex);
  }
  return names;
}

EngineDescription parse_description(std::string_view text, const std::string& where) {
  if (text.size() > kMaxDescription) {
    throw BundleError({.where = where,
                       .expected = "at most " + std::to_string(kMaxDescription) + " bytes",
                       .got = std::to_string(text.size()),
                       .action = "Build the engine again."});
  }
  const json document = parse_json(text, where);
  const JsonReader reader(document, where, "");
  if (const JsonReader format = reader.field("format"); format.integer(1, INT32_MAX) != kFormat) {
    format.fail("format " + std::to_string(kFormat));
  }
  EngineDescription description;
  description.key = read_engine_key(reader.field("key"));
  description.sha256 = reader.field("sha256").text(64);
  description.bytes = static_cast<std::uint64_t>(reader.field("bytes").integer(1, INT64_MAX));
  description.built = std::chrono::sys_time<std::chrono::nanoseconds>(
      std::chrono::nanoseconds(reader.field("built_unix_ns").integer(0, INT64_MAX)));
  const JsonReader report = reader.field("report");
  report.fields();  // an object, or refused
  description.report = document["report"].dump(-1, ' ', false, json::error_handler_t::replace);
  return description;
}

std::string description_text(const EngineDescription& description) {
  json document = {{"format", kFormat},
                   {"key", json::parse(description.key.json())},
                   {"sha256", description.sha256},
                   {"bytes", description.bytes},
                   {"built_unix_ns", description.built.time_since_epoch().count()}};
  try {
    document["report"] = parse_json(description.report, "report");
    std::string text = document.dump(1) + "\n";
    parse_description(text, "report");  // what is written can be read
    return text;
  } catch (const BundleError& error) {
    throw ConfigError({.where = "engine report",
                       .expected = error.parts().expected,
                       .got = error.parts().got,
                       .action = "Pass the builder's report as one JSON object."});
  }
}

EngineDescription read_description(const std::filesystem::path& path) {
  const Descriptor file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  const MappedFile mapped(file.value(), path);
  const std::span<const std::byte> bytes = mapped.bytes();
  return parse_description({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                           path.string());
}

Draft::Draft(const std::filesystem::path& folder, const std::string& stem)
    : name_((folder / (stem + ".XXXXXX.tmp")).string()) {
  file_ = Descriptor(::mkostemps(name_.data(), 4, O_CLOEXEC));
  if (!file_) refuse_write(name_, errno);
  // Whoever may read the folder may run its engines: built as root, run as a service.
  if (::flock(file_.value(), LOCK_EX | LOCK_NB) != 0 || ::fchmod(file_.value(), 0644) != 0) {
    const int error = errno;
    ::unlink(name_.c_str());
    refuse_write(name_, error);
  }
}

Draft::~Draft() {
  if (!name_.empty()) ::unlink(name_.c_str());
}

void Draft::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.value(), bytes.data(), std::min(bytes.size(), kMostAtOnce));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse_write(name_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  if (::fsync(file_.value()) != 0) refuse_write(name_, errno);
}

void Draft::publish(const std::filesystem::path& path) {
  if (::rename(name_.c_str(), path.c_str()) != 0) refuse_write(path.string(), errno);
  name_.clear();
}

Aside::Aside(const std::filesystem::path& plan, const std::filesystem::path& description)
    : files_{{description.string(), {}}, {plan.string(), {}}} {
  for (File& file : files_) {
    std::string meanwhile = file.place + ".old.tmp";
    if (::rename(file.place.c_str(), meanwhile.c_str()) == 0) file.meanwhile = std::move(meanwhile);
  }
}

Aside::~Aside() {
  for (const File& file : {files_[1], files_[0]}) {
    if (file.meanwhile.empty()) continue;
    ::rename(file.meanwhile.c_str(), file.place.c_str());
  }
}

void Aside::drop() noexcept {
  for (File& file : files_) {
    if (!file.meanwhile.empty()) ::unlink(file.meanwhile.c_str());
    file.meanwhile.clear();
  }
}

void sync_folder(const std::filesystem::path& folder) noexcept {
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file) ::fsync(file.value());
}

}  // namespace plait::detail
