// search.cpp: opens the first of a vendor's libraries that is there.
#include "backends/tensorrt/search.hpp"

#include <cstdlib>
#include <system_error>

#include "plait/error.hpp"

namespace plait::detail {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> candidates(const LibrarySearch& search) {
  if (!search.wanted.empty()) return {search.wanted.string()};
  // Only racing with setenv is unsafe, and only an application that sets variables late has that
  // race.
  const char* variable = std::getenv(search.variable);  // NOLINT(concurrency-mt-unsafe)
  if (variable != nullptr && *variable != '\0') return {variable};
  std::vector<std::string> paths;
  // site-packages/plait/lib/libplait.so -> site-packages/
  const fs::path packages = fs::path(path_of_this_library()).parent_path() / ".." / "..";
  for (const std::string& folder : search.package_folders) {
    for (const std::string& name : search.names) {
      const fs::path path = packages / folder / name;
      std::error_code ignored;
      if (fs::exists(path, ignored)) paths.push_back(path.string());
    }
  }
  paths.insert(paths.end(), search.names.begin(), search.names.end());
  paths.insert(paths.end(), search.system_paths.begin(), search.system_paths.end());
  return paths;
}

}  // namespace

DynamicLibrary open_first(const LibrarySearch& search, std::string& path, std::string& tried) {
  for (const std::string& candidate : candidates(search)) {
    std::string error;
    DynamicLibrary library = DynamicLibrary::open(candidate, error);
    if (library) {
      path = candidate;
      return library;
    }
    tried += (tried.empty() ? "" : "; ") + error;
  }
  return {};
}

void require_same_library(const std::string& where, const std::string& running,
                          const fs::path& wanted) {
  std::error_code ignored;
  if (wanted.empty() || running == wanted.string() || fs::equivalent(running, wanted, ignored)) {
    return;
  }
  throw ConfigError({.where = where,
                     .expected = "the library this process already runs, " + running,
                     .got = wanted.string(),
                     .action = "Use one " + where + " a process."});
}

}  // namespace plait::detail
