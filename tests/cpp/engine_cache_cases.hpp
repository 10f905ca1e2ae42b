// engine_cache_cases.hpp: a cache in a folder of its own, keys and plans to put into it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <random>
#include <set>
#include <span>
#include <string>

#include "backends/tensorrt/engine_cache.hpp"

namespace plait::testing {

/// A key that differs from others in the device.
detail::EngineKey example_key(const std::string& device = "Orin");

std::string read_all(const std::filesystem::path& path);
void write_all(const std::filesystem::path& path, const std::string& text);
std::string text_of(std::span<const std::byte> bytes);

/// A folder that goes with the test, and a seed that a failure prints.
class EngineFolder : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kMuch = 1U << 30;

  EngineFolder();
  ~EngineFolder() override;

  const std::filesystem::path& folder() const { return folder_; }
  detail::EngineCache cache() const { return detail::EngineCache(folder_, kMuch); }
  std::string store(const detail::EngineKey& key, const std::string& plan,
                    const std::string& report = "{}") const {
    return cache().store(key, bytes(plan), report);
  }
  static std::span<const std::byte> bytes(const std::string& text) {
    return std::as_bytes(std::span(text));
  }
  std::uint32_t random() { return static_cast<std::uint32_t>(generator_()); }
  std::string noise(std::size_t size);
  /// The devices of the engines that are there.
  std::set<std::string> devices() const;
  /// Says that an engine was last used then, in seconds since 1970.
  void set_stamp(const detail::EngineKey& key, std::int64_t seconds) const;

  std::uint32_t seed_ = std::random_device{}();

 private:
  std::mt19937 generator_{seed_};
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
  std::filesystem::path folder_;
};

}  // namespace plait::testing
