// search.hpp: where a vendor's library is looked for, and that a process runs only one of each.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/dynamic_library.hpp"

namespace plait::detail {

/// The first that is given decides: a path, a variable of the environment; else all others in turn.
struct LibrarySearch {
  std::filesystem::path wanted;
  const char* variable = "";
  std::vector<std::string> package_folders;  ///< beside the Python package: "tensorrt_libs"
  std::vector<std::string> names;            ///< of files, as the loader knows them
  std::vector<std::string> system_paths;
};

/// The first library that opens, and its path; or an empty one, and in tried why none did.
DynamicLibrary open_first(const LibrarySearch& search, std::string& path, std::string& tried);

/// Throws ConfigError where wanted is given and is another file than the one that runs.
void require_same_library(const std::string& where, const std::string& running,
                          const std::filesystem::path& wanted);

}  // namespace plait::detail
