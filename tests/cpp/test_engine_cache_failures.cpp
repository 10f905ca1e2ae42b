// test_engine_cache_failures.cpp: what fails, or changes, between two steps of the engine cache.
// Stands in for two functions of the C library, so that each such moment can be had.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <utility>

#include "backends/tensorrt/engine_cache.hpp"
#include "engine_cache_cases.hpp"
#include "plait/error.hpp"

namespace {

/// Called with the new name; false: the renaming fails.
std::function<bool(const std::string&)> on_rename;
/// Called before an exclusive lock is waited for.
std::function<void()> on_lock;

}  // namespace

extern "C" int rename(const char* from, const char* to) {
  if (on_rename && !on_rename(to)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

extern "C" int flock(int file, int operation) {
  if (on_lock && operation == LOCK_EX) std::exchange(on_lock, nullptr)();
  return static_cast<int>(::syscall(SYS_flock, file, operation));
}

namespace plait::detail {
namespace {

namespace fs = std::filesystem;
using plait::testing::example_key;
using plait::testing::text_of;
using plait::testing::write_all;

class EngineCacheFailures : public plait::testing::EngineFolder {
 protected:
  ~EngineCacheFailures() override {
    on_rename = nullptr;
    on_lock = nullptr;
  }
};

TEST_F(EngineCacheFailures, a_store_that_fails_at_its_end_leaves_the_old_engine) {
  const EngineKey key = example_key();
  const std::string before = noise(1000);
  const std::string hex = store(key, before);
  for (const char* ending : {".plan", ".json"}) {
    bool failed = false;
    on_rename = [&](const std::string& name) {
      if (failed || name != (folder() / (hex + ending)).string()) return true;
      failed = true;
      return false;
    };
    EXPECT_THROW(store(key, noise(1000)), BackendError) << ending;
    on_rename = nullptr;
    EXPECT_TRUE(failed);
    const EngineLookup found = cache().find(key);
    ASSERT_TRUE(found.engine) << ending << ": " << found.why_not;
    EXPECT_EQ(text_of(found.engine->plan()), before) << ending;
    for (const auto& file : fs::directory_iterator(folder())) {
      EXPECT_NE(file.path().extension(), ".tmp") << file.path();
    }
  }
}

TEST_F(EngineCacheFailures, a_store_that_fails_at_its_end_costs_no_other_engine) {
  store(example_key("other"), std::string(900, 'o'));
  on_rename = [&](const std::string& name) { return name.find(".plan") == std::string::npos; };
  EXPECT_THROW(
      EngineCache(folder(), 1000).store(example_key(), bytes("a new plan" + noise(400)), "{}"),
      BackendError);
  EXPECT_EQ(devices(), std::set<std::string>{"other"});
}

TEST_F(EngineCacheFailures, an_engine_stored_anew_meanwhile_is_not_cleared_as_damaged) {
  const std::string plan = noise(700);
  const fs::path path = folder() / (store(example_key(), plan) + ".plan");
  write_all(path, noise(700));
  on_lock = [&] { write_all(path, plan); };  // judged, and not yet deleted
  EXPECT_EQ(cache().clear(true).removed, 0U);
  EXPECT_TRUE(cache().find(example_key()).engine);
}

TEST_F(EngineCacheFailures, a_folder_that_can_t_be_looked_at_is_told_in_our_words) {
  const EngineCache there(folder() / std::string(300, 'x'), kMuch);
  EXPECT_THROW(there.clear(), BackendError);
}

}  // namespace
}  // namespace plait::detail
