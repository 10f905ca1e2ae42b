// test_engine_cache.cpp: an engine comes back whole and for its own key, or not at all.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "backends/tensorrt/engine_cache.hpp"
#include "engine_cache_cases.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

namespace fs = std::filesystem;
using Folder = plait::testing::EngineFolder;
using plait::testing::example_key;
using plait::testing::read_all;
using plait::testing::text_of;
using plait::testing::write_all;

using EngineCacheTest = Folder;

TEST_F(EngineCacheTest, an_engine_comes_back_byte_for_byte) {
  for (const std::size_t size : {1UL, 2UL, 4095UL, 4096UL, 4097UL, 70'001UL}) {
    const std::string plan = noise(size);
    const EngineKey key = example_key(std::to_string(size));
    store(key, plan, R"({"seconds": 1.5, "layers": [{"name": "a"}]})");
    const EngineLookup found = EngineCache(folder(), kMuch).find(key);
    ASSERT_TRUE(found.engine) << found.why_not;
    EXPECT_EQ(text_of(found.engine->plan()), plan);
    EXPECT_EQ(found.engine->description().key, key);
    EXPECT_EQ(nlohmann::json::parse(found.engine->description().report),
              nlohmann::json::parse(R"({"layers": [{"name": "a"}], "seconds": 1.5})"));
    EXPECT_EQ(read_all(folder() / (key.hex() + ".plan")), plan) << "other tools open it";
  }
}

TEST_F(EngineCacheTest, another_value_of_any_field_is_another_engine) {
  const EngineKey key = example_key();
  store(key, "plan");
  const std::vector<std::pair<std::string EngineKey::*, std::string>> fields = {
      {&EngineKey::precision, "precision"}, {&EngineKey::profiles, "profiles"},
      {&EngineKey::tensorrt, "TensorRT"},   {&EngineKey::device, "device"},
      {&EngineKey::driver, "driver"},       {&EngineKey::compute_capability, "compute capability"},
      {&EngineKey::plugins, "plugins"}};
  for (const auto& [field, word] : fields) {
    EngineKey other = key;
    other.*field = field == &EngineKey::profiles ? R"({"x": [[2], [2], [2]]})" : "other";
    const EngineLookup found = cache().find(other);
    EXPECT_FALSE(found.engine) << word;
    EXPECT_NE(found.why_not.find("built for " + word + " '"), std::string::npos) << found.why_not;
  }
  EngineKey other = key;
  other.graph_sha256 = std::string(64, '0');
  EXPECT_NE(cache().find(other).why_not.find("no engine of this graph"), std::string::npos);
}

TEST_F(EngineCacheTest, profiles_are_the_same_however_they_are_written) {
  EngineKey key = example_key();
  EngineKey same = key;
  key.profiles = R"({"a":[[1],[1],[2]],"b":[[3],[3],[3]]})";
  same.profiles = "{\"b\": [[3], [3], [3]],\n \"a\": [[1], [1], [2]]}";
  EXPECT_EQ(key.hex(), same.hex());
  store(key, "plan");
  EXPECT_TRUE(cache().find(same).engine);
}

TEST_F(EngineCacheTest, an_altered_plan_is_never_handed_out) {
  const EngineKey key = example_key();
  const std::string plan = noise(3001);
  const fs::path path = folder() / (store(key, plan) + ".plan");
  for (int round = 0; round < 60; ++round) {
    std::string altered = plan;
    altered[random() % altered.size()] ^= static_cast<char>(1U << random() % 8);
    write_all(path, altered);
    const EngineLookup found = cache().find(key);
    ASSERT_FALSE(found.engine);
    EXPECT_NE(found.why_not.find("altered"), std::string::npos) << found.why_not;
  }
  EXPECT_NE(cache().verify().at(0).problem, "");
  EXPECT_EQ(cache().entries().at(0).problem, "") << "not hashed";
  store(key, plan);
  EXPECT_TRUE(cache().find(key).engine) << "built again, it is back";
}

TEST_F(EngineCacheTest, a_plan_of_another_length_is_never_handed_out) {
  const EngineKey key = example_key();
  const std::string plan = noise(513);
  const fs::path path = folder() / (store(key, plan) + ".plan");
  for (const std::size_t size : {0UL, 1UL, 512UL, 514UL, 5000UL}) {
    std::string other = plan;
    other.resize(size, 'x');
    write_all(path, other);
    EXPECT_FALSE(cache().find(key).engine) << size;
    EXPECT_NE(cache().entries().at(0).problem, "") << size;
  }
}

TEST_F(EngineCacheTest, an_altered_description_hides_the_engine_or_changes_nothing) {
  const EngineKey key = example_key();
  const std::string plan = noise(100);
  const fs::path path = folder() / (store(key, plan) + ".json");
  const std::string description = read_all(path);
  for (int round = 0; round < 300; ++round) {
    std::string altered = description;
    altered[random() % altered.size()] = static_cast<char>(random());
    if (random() % 8 == 0) altered.resize(random() % altered.size());
    write_all(path, altered);
    const EngineLookup found = cache().find(key);
    if (found.engine) {
      EXPECT_EQ(text_of(found.engine->plan()), plan);
      EXPECT_EQ(found.engine->description().key.hex(), key.hex());
    } else {
      EXPECT_NE(found.why_not, "");
    }
  }
}

TEST_F(EngineCacheTest, files_of_another_engine_under_the_name_are_refused) {
  const EngineKey key = example_key();
  const std::string hex = store(key, "the right one");
  const std::string other = store(example_key("other"), "the wrong one");
  const std::string right = read_all(folder() / (hex + ".plan"));
  write_all(folder() / (hex + ".plan"), read_all(folder() / (other + ".plan")));
  EXPECT_FALSE(cache().find(key).engine) << "the same length";
  write_all(folder() / (hex + ".json"), read_all(folder() / (other + ".json")));
  const EngineLookup found = cache().find(key);
  EXPECT_FALSE(found.engine) << "plan and description of the other";
  EXPECT_NE(found.why_not.find("another key"), std::string::npos) << found.why_not;
  EXPECT_FALSE(cache().find(example_key("third")).engine);
}

TEST_F(EngineCacheTest, what_is_no_regular_file_is_refused) {
  const EngineKey key = example_key();
  const fs::path plan = folder() / (store(key, "plan") + ".plan");
  const fs::path kept = folder() / "kept";
  fs::rename(plan, kept);
  EXPECT_FALSE(cache().find(key).engine) << "missing";
  fs::create_symlink(kept, plan);
  EXPECT_FALSE(cache().find(key).engine) << "a link";
  fs::remove(plan);
  ASSERT_EQ(::mkfifo(plan.c_str(), 0600), 0);
  EXPECT_FALSE(cache().find(key).engine) << "a pipe without a writer must not block";
  fs::remove(plan);
  fs::create_directory(plan);
  EXPECT_FALSE(cache().find(key).engine) << "a folder";
  fs::remove(plan);
  fs::rename(kept, plan);
  EXPECT_TRUE(cache().find(key).engine);
}

TEST_F(EngineCacheTest, what_was_not_used_for_longest_goes_first) {
  const EngineCache small(folder(), 1000);
  for (int i = 0; i < 10; ++i) small.store(example_key(std::to_string(i)), bytes(noise(100)), "{}");
  EXPECT_TRUE(small.find(example_key("0")).engine);
  EXPECT_TRUE(small.find(example_key("3")).engine);
  small.store(example_key("new"), bytes(noise(300)), "{}");
  EXPECT_EQ(devices(), (std::set<std::string>{"0", "3", "5", "6", "7", "8", "9", "new"}));
  EXPECT_THROW(small.store(example_key("large"), bytes(noise(1001)), "{}"), ConfigError);
  EXPECT_EQ(devices().size(), 8U) << "nothing goes for what does not fit";
}

TEST_F(EngineCacheTest, the_order_of_use_survives_a_clock_that_jumps) {
  const EngineCache small(folder(), 300);
  // 2400: later than nanoseconds since 1970 can say in 64 bits.
  for (const std::int64_t year : {2100, 2400, 1971}) {
    for (const char* name : {"a", "b", "c"})
      small.store(example_key(name), bytes(noise(100)), "{}");
    // What a clock of that year would have left.
    set_stamp(example_key("a"), (year - 1970) * 31'557'600);
    EXPECT_TRUE(small.find(example_key("b")).engine);
    EXPECT_TRUE(small.find(example_key("c")).engine);
    small.store(example_key("d"), bytes(noise(100)), "{}");
    EXPECT_EQ(devices(), (std::set<std::string>{"b", "c", "d"})) << year;
    small.clear();
  }
}

TEST_F(EngineCacheTest, an_engine_in_use_is_not_evicted) {
  const EngineCache small(folder(), 200);
  const std::string plan = noise(150);
  small.store(example_key("held"), bytes(plan), "{}");
  {
    const EngineLookup held = small.find(example_key("held"));
    small.store(example_key("new"), bytes(noise(150)), "{}");
    EXPECT_EQ(devices(), (std::set<std::string>{"held", "new"}));
    const EngineClearing done = small.clear();
    EXPECT_EQ(done.removed, 1U);
    EXPECT_EQ(done.in_use, 1U);
    EXPECT_EQ(text_of(held.engine->plan()), plan);
  }
  EXPECT_EQ(small.clear().removed, 1U);
  EXPECT_TRUE(devices().empty());
}

TEST_F(EngineCacheTest, a_plan_stored_anew_does_not_disturb_who_runs_the_old) {
  const std::string before = noise(5000);
  const std::string after = noise(4000);
  store(example_key(), before);
  const EngineLookup old = cache().find(example_key());
  store(example_key(), after);
  EXPECT_EQ(text_of(old.engine->plan()), before);
  EXPECT_EQ(text_of(cache().find(example_key()).engine->plan()), after);
}

TEST_F(EngineCacheTest, clear_leaves_what_is_not_the_caches) {
  store(example_key(), "plan");
  const std::string stranger = std::string(64, 'a') + "b.plan";
  write_all(folder() / "notes.txt", "mine");
  write_all(folder() / stranger, "mine");
  cache().clear();
  EXPECT_EQ(read_all(folder() / "notes.txt"), "mine");
  EXPECT_EQ(read_all(folder() / stranger), "mine");
  EXPECT_TRUE(cache().entries().empty());
}

TEST_F(EngineCacheTest, only_what_is_damaged_goes_where_that_is_asked_for) {
  store(example_key("whole"), "plan");
  write_all(folder() / (store(example_key("altered"), "plan") + ".plan"), "plaN");
  write_all(folder() / (store(example_key("unreadable"), "plan") + ".json"), "{");
  fs::remove(folder() / (store(example_key("lost"), "plan") + ".plan"));
  EXPECT_EQ(cache().clear(true).removed, 3U);
  EXPECT_EQ(devices(), (std::set<std::string>{"whole"}));
  EXPECT_EQ(cache().clear(true).removed, 0U);
}

TEST_F(EngineCacheTest, threads_that_store_and_find_see_whole_engines_only) {
  // Each plan repeats the letter of its key, so that a mixture would show.
  const EngineCache small(folder(), 40'000);
  std::vector<std::thread> threads;
  for (unsigned worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&, seed = seed_ + worker] {
      std::minstd_rand choice(seed);
      for (int round = 0; round < 40; ++round) {
        const char letter = static_cast<char>('a' + choice() % 3);
        const EngineKey key = example_key(std::string(1, letter));
        if (choice() % 2 == 0) {
          small.store(key, bytes(std::string(1 + choice() % 20'000, letter)), "{}");
        } else if (const EngineLookup found = small.find(key); found.engine) {
          const std::string plan = text_of(found.engine->plan());
          EXPECT_EQ(plan.find_first_not_of(letter), std::string::npos);
        } else {
          EXPECT_EQ(found.why_not.find("altered"), std::string::npos) << found.why_not;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const EngineEntry& entry : cache().verify()) EXPECT_EQ(entry.problem, "");
}

TEST_F(EngineCacheTest, a_key_lock_has_one_holder) {
  const auto no_signal = [] {};
  std::optional<FileLock> first = cache().lock(example_key(), FileLock::Wait::kYes, no_signal);
  ASSERT_TRUE(first);
  EXPECT_FALSE(cache().lock(example_key(), FileLock::Wait::kNo, no_signal));
  EXPECT_TRUE(cache().lock(example_key("other"), FileLock::Wait::kNo, no_signal));
  store(example_key(), "plan");  // sweeps: a lock that is held stays
  EXPECT_FALSE(cache().lock(example_key(), FileLock::Wait::kNo, no_signal));
  first->release();
  EXPECT_TRUE(cache().lock(example_key(), FileLock::Wait::kNo, no_signal));
}

TEST_F(EngineCacheTest, a_waiter_gets_the_lock_although_its_file_is_deleted_meanwhile) {
  const auto no_signal = [] {};
  for (int round = 0; round < 20; ++round) {
    std::optional<FileLock> held = cache().lock(example_key(), FileLock::Wait::kYes, no_signal);
    std::thread waiter(
        [&] { EXPECT_TRUE(cache().lock(example_key(), FileLock::Wait::kYes, no_signal)); });
    held->release();
    cache().clear();
    waiter.join();
  }
}

TEST_F(EngineCacheTest, a_key_that_names_no_engine_is_refused) {
  const std::vector<std::pair<std::string EngineKey::*, std::string>> wrong = {
      {&EngineKey::graph_sha256, "abc"},    {&EngineKey::graph_sha256, std::string(64, 'A')},
      {&EngineKey::precision, ""},          {&EngineKey::tensorrt, ""},
      {&EngineKey::compute_capability, ""}, {&EngineKey::profiles, ""},
      {&EngineKey::profiles, "[]"},         {&EngineKey::profiles, "{\"a\":1,\"a\":2}"},
      {&EngineKey::device, "\xff"},         {&EngineKey::device, std::string(1 << 17, 'x')}};
  for (const auto& [field, value] : wrong) {
    EngineKey key = example_key();
    key.*field = value;
    EXPECT_THROW(key.hex(), ConfigError) << value.substr(0, 70);
    EXPECT_THROW(store(key, "plan"), ConfigError);
    EXPECT_THROW(cache().find(key), ConfigError);
  }
  for (const char* report : {"", "[]", "{", "1", "{\"a\": 1, \"a\": 2}"}) {
    EXPECT_THROW(store(example_key(), "plan", report), ConfigError) << report;
  }
  EXPECT_THROW(store(example_key(), ""), ConfigError);
  EXPECT_TRUE(cache().entries().empty());
}

TEST_F(EngineCacheTest, sizes_of_the_limit_are_read_with_units) {
  const auto limit = [](const char* text) {
    ::setenv("PLAIT_ENGINE_CACHE_LIMIT", text, 1);
    return EngineCache::default_limit_bytes();
  };
  EXPECT_EQ(limit("123"), 123U);
  EXPECT_EQ(limit("500MB"), 500'000'000U);
  EXPECT_EQ(limit("20GB"), 20'000'000'000U);
  EXPECT_EQ(limit(""), 10'000'000'000U);
  for (const char* text :
       {"0", "-1", "x", "1TB", "1.5GB", " 1", "99999999999999999999", "99999999999999GB"}) {
    EXPECT_THROW(limit(text), ConfigError) << text;
  }
  ::unsetenv("PLAIT_ENGINE_CACHE_LIMIT");
}

}  // namespace
}  // namespace plait::detail
