// test_engine_cache_processes.cpp: the cache where processes are killed, disks full, folders shut.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>

#include "backends/tensorrt/engine_cache.hpp"
#include "engine_cache_cases.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

namespace fs = std::filesystem;
using plait::testing::example_key;
using plait::testing::text_of;
using plait::testing::write_all;

using EngineCacheProcesses = plait::testing::EngineFolder;

/// A process that runs body and tells this one through a pipe. Its exit code is body's answer.
class Child {
 public:
  explicit Child(const std::function<int(const std::function<void()>& tell)>& body) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
    process_ = ::fork();
    if (process_ == 0) {
      ::close(ends[0]);
      const auto tell = [&] {
        if (::write(ends[1], "x", 1) != 1) ::_exit(90);
      };
      try {
        ::_exit(body(tell));
      } catch (const std::exception&) {
        ::_exit(91);
      }
    }
    ::close(ends[1]);
    pipe_ = Descriptor(ends[0]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (process_ > 0) kill_it();
  }

  /// Waits until the child has told so many times.
  void heard(unsigned times) const {
    char told = 0;
    for (unsigned i = 0; i < times; ++i) ASSERT_EQ(::read(pipe_.value(), &told, 1), 1);
  }
  void kill_it() {
    ::kill(process_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t process_ = -1;
  Descriptor pipe_;
};

std::size_t drafts_in(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& file : fs::directory_iterator(folder))
    count += file.path().extension() == ".tmp";
  return count;
}

TEST_F(EngineCacheProcesses, a_store_that_is_killed_leaves_the_old_or_the_new_or_nothing) {
  const EngineKey key = example_key();
  for (int round = 0; round < 25; ++round) {
    const unsigned before = random() % 5;
    Child child([&](const auto& tell) {
      for (unsigned number = 0;; ++number) {
        // Each plan says of itself which it is and how long.
        const std::string plan(1 + number % 7 * 30'000, static_cast<char>('a' + number % 7));
        cache().store(key, bytes(plan), "{}");
        tell();
      }
      return 0;
    });
    child.heard(before);
    child.kill_it();
    const EngineLookup found = cache().find(key);
    if (found.engine) {
      const std::string plan = text_of(found.engine->plan());
      const auto number = static_cast<unsigned>(plan[0] - 'a');
      EXPECT_EQ(plan, std::string(1 + number * 30'000, plan[0]));
    } else {
      EXPECT_EQ(found.why_not.find(folder().string() + "/"), std::string::npos)
          << "it names a damaged file: " << found.why_not;
    }
    store(example_key("next"), "plan");
    EXPECT_EQ(drafts_in(folder()), 0U) << "the next store sweeps";
    for (const EngineEntry& entry : cache().verify()) EXPECT_EQ(entry.problem, "");
  }
}

TEST_F(EngineCacheProcesses, every_state_between_the_steps_of_a_store_is_recovered_from) {
  const EngineKey key = example_key();
  const std::string hex = store(key, "plan");
  const fs::path plan = folder() / (hex + ".plan");
  const fs::path description = folder() / (hex + ".json");
  write_all(folder() / (hex + ".Ab3dEf.tmp"), "half a pl");
  EXPECT_TRUE(cache().find(key).engine) << "while it was written";
  fs::remove(description);
  EXPECT_FALSE(cache().find(key).engine) << "the description is gone";
  EXPECT_NE(cache().entries().at(0).problem, "");
  write_all(plan, "the new plan");
  EXPECT_FALSE(cache().find(key).engine) << "the plan is there";
  store(example_key("next"), "plan");
  EXPECT_FALSE(fs::exists(plan)) << "swept";
  EXPECT_EQ(drafts_in(folder()), 0U);
  store(key, "the new plan");
  EXPECT_TRUE(cache().find(key).engine);
}

TEST_F(EngineCacheProcesses, a_draft_that_is_being_written_is_not_swept) {
  Draft draft(folder(), example_key().hex());
  store(example_key("other"), "plan");
  cache().clear();
  EXPECT_EQ(drafts_in(folder()), 1U);
  draft.write(bytes("plan"));
  draft.publish(folder() / "published");
  EXPECT_EQ(plait::testing::read_all(folder() / "published"), "plan");
}

TEST_F(EngineCacheProcesses, a_full_disk_leaves_everything_as_it_was) {
  const EngineKey key = example_key();
  const std::string plan = noise(1000);
  store(key, plan);
  Child child([&](const auto&) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2000, 2000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    for (const char* device : {"Orin", "another"}) {
      try {
        cache().store(example_key(device), bytes(std::string(3000, 'x')), "{}");
        return 3;
      } catch (const BackendError& error) {
        if (error.parts().action.find("Free space") == std::string::npos) return 4;
      }
    }
    return 0;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(drafts_in(folder()), 0U);
  EXPECT_EQ(devices(), std::set<std::string>{"Orin"});
  const EngineLookup found = cache().find(key);
  ASSERT_TRUE(found.engine) << found.why_not;
  EXPECT_EQ(text_of(found.engine->plan()), plan);
}

TEST_F(EngineCacheProcesses, a_read_only_folder_serves_and_says_why_it_can_t_store) {
  const EngineKey key = example_key();
  store(key, "plan");
  ASSERT_EQ(::chmod(folder().c_str(), 0555), 0);
  Child child([&](const auto&) {
    // To root nothing is read-only.
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 2;
    if (!cache().find(key).engine) return 3;
    if (cache().verify().at(0).problem != "") return 4;
    try {
      cache().store(example_key("other"), bytes("plan"), "{}");
      return 5;
    } catch (const BackendError& error) {
      if (error.parts().action.find("PLAIT_ENGINE_CACHE") == std::string::npos) return 6;
    }
    try {
      cache().clear();
      return 7;
    } catch (const BackendError&) {
    }
    return 0;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(cache().find(key).engine);
}

TEST_F(EngineCacheProcesses, a_lock_ends_with_the_process_that_held_it) {
  const auto no_signal = [] {};
  Child child([&](const auto& tell) {
    const std::optional<FileLock> held =
        cache().lock(example_key(), FileLock::Wait::kYes, no_signal);
    tell();
    ::pause();
    return 0;
  });
  child.heard(1);
  EXPECT_FALSE(cache().lock(example_key(), FileLock::Wait::kNo, no_signal));
  child.kill_it();
  EXPECT_TRUE(cache().lock(example_key(), FileLock::Wait::kNo, no_signal));
}

TEST_F(EngineCacheProcesses, an_engine_that_another_process_runs_is_not_deleted) {
  store(example_key(), "plan");
  Child child([&](const auto& tell) {
    const EngineLookup held = cache().find(example_key());
    tell();
    ::pause();
    return 0;
  });
  child.heard(1);
  EXPECT_EQ(cache().clear().in_use, 1U);
  EXPECT_TRUE(cache().find(example_key()).engine);
  child.kill_it();
  EXPECT_EQ(cache().clear().removed, 1U);
}

}  // namespace
}  // namespace plait::detail
