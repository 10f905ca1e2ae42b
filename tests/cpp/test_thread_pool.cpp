// test_thread_pool.cpp: every index runs once, whatever the caller, the count or the failure.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/thread_pool.hpp"

namespace plait::detail {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, EveryIndexRunsExactlyOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (std::size_t count : {0U, 1U, 2U, 3U, 17U, 1000U}) {
    std::vector<std::atomic<int>> hits(count);
    const auto body = [&](std::size_t i) { ++hits[i]; };
    pool.parallel_for(count, body);
    for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
  }
}

TEST_P(ThreadPoolTest, FirstExceptionReachesTheCallerAfterAllIndicesRan) {
  ThreadPool pool(GetParam());
  std::atomic<int> ran{0};
  const auto body = [&](std::size_t i) {
    ++ran;
    if (i == 3) throw std::runtime_error("three");
  };
  EXPECT_THROW(pool.parallel_for(20, body), std::runtime_error);
  EXPECT_EQ(ran.load(), 20);
  std::atomic<int> after{0};
  const auto count = [&](std::size_t) { ++after; };
  pool.parallel_for(5, count);
  EXPECT_EQ(after.load(), 5);
}

TEST_P(ThreadPoolTest, NestedLoopsDoNotDeadlock) {
  ThreadPool pool(GetParam());
  std::atomic<int> inner{0};
  const auto body = [&](std::size_t) {
    const auto nested = [&](std::size_t) { ++inner; };
    pool.parallel_for(4, nested);
  };
  pool.parallel_for(6, body);
  EXPECT_EQ(inner.load(), 24);
}

TEST_P(ThreadPoolTest, SeveralCallersShareOnePool) {
  ThreadPool pool(GetParam());
  std::atomic<int> total{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      const auto body = [&](std::size_t) { ++total; };
      for (int round = 0; round < 50; ++round) pool.parallel_for(7, body);
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total.load(), 4 * 50 * 7);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolTest, testing::Values(1, 2, 3, 8));

TEST(AvailableCpusTest, IsAtLeastOne) { EXPECT_GE(available_cpus(), 1); }

}  // namespace
}  // namespace plait::detail
