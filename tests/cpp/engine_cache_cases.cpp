// engine_cache_cases.cpp: folders, keys and plans for the engine cache's tests.
#include "engine_cache_cases.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace plait::testing {

namespace fs = std::filesystem;

detail::EngineKey example_key(const std::string& device) {
  return {.graph_sha256 = std::string(60, 'a') + "0123",
          .precision = "fp16_tensorrt",
          .profiles = R"({"image":[[1,3,8,8],[1,3,8,8],[1,3,8,8]]})",
          .tensorrt = "10.14.1.48",
          .device = device,
          .compute_capability = "8.7",
          .driver = "36.4.3",
          .plugins = "1"};
}

std::string read_all(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_all(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

EngineFolder::EngineFolder() {
  std::string pattern = (fs::temp_directory_path() / "plait_engines_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder for the test");
  folder_ = pattern;
}

EngineFolder::~EngineFolder() {
  ::chmod(folder_.c_str(), 0700);
  fs::remove_all(folder_);
}

std::string EngineFolder::noise(std::size_t size) {
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

std::set<std::string> EngineFolder::devices() const {
  std::set<std::string> devices;
  for (const detail::EngineEntry& entry : cache().entries()) {
    devices.insert(entry.description.key.device);
  }
  return devices;
}

void EngineFolder::set_stamp(const detail::EngineKey& key, std::int64_t seconds) const {
  timespec time{};
  time.tv_sec = seconds;
  const timespec times[2] = {time, time};
  const fs::path path = folder_ / (key.hex() + ".json");
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) throw std::runtime_error("no time set");
}

}  // namespace plait::testing
