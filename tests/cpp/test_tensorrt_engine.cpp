// test_tensorrt_engine.cpp: engines answer what they compute, on every kind of device, and keep the
// promises.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <thread>
#include <tuple>
#include <vector>

#include "allocations.hpp"
#include "plait/error.hpp"
#include "tensorrt_cases.hpp"

namespace plait::testing {
namespace {

constexpr double kRounding = 1e-6;

/// Integrated, page-locks, cannot be captured; batches of the engine; samples of the binding.
using Setting = std::tuple<bool, bool, bool, std::pair<std::int64_t, std::int64_t>, std::int64_t>;

class EngineTest : public ::testing::TestWithParam<Setting> {};

TEST_P(EngineTest, answers_what_the_engine_computes_run_after_run) {
  const auto& [integrated, registers, uncapturable, batches, samples] = GetParam();
  const EngineCase engine = engine_case(batches.first, batches.second);
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 generator(seed);
  {
    const auto host =
        stub_host({.integrated = integrated, .registers = registers, .uncapturable = uncapturable});
    const auto executable =
        detail::make_engine(host, engine.graph, bytes_of(plan_of(engine)), "stub");
    EngineMemory memory(engine, samples);
    const auto bound = memory.bind(*executable);
    const int copies = plait_stub_cuda()->copies;
    const int launches = plait_stub_cuda()->graph_launches;
    constexpr int kRuns = 3;
    for (int i = 0; i < kRuns; ++i) {
      memory.fill(generator);
      bound->run();
      EXPECT_LT(memory.error(), kRounding);
    }
    EXPECT_EQ(plait_stub_cuda()->graph_launches - launches, uncapturable ? 0 : kRuns);
    if (integrated) {
      EXPECT_EQ(plait_stub_cuda()->copies, copies) << "one memory needs no copies";
    }
  }
  EXPECT_EQ(plait_stub_cuda()->wrong_pointers, 0);
  EXPECT_EQ(plait_stub_cuda()->unlocked_copies, 0);
  EXPECT_EQ(plait_stub_tensorrt()->wrong_addresses, 0);
  EXPECT_EQ(held_by_stubs(), "");
}

INSTANTIATE_TEST_SUITE_P(
    AllDevices, EngineTest,
    ::testing::Combine(::testing::Bool(), ::testing::Bool(), ::testing::Bool(),
                       ::testing::Values(std::pair<std::int64_t, std::int64_t>{1, 1},
                                         std::pair<std::int64_t, std::int64_t>{1, 4}),
                       ::testing::Values(1, 3, 6, 7)));

TEST(Engine, of_a_fixed_batch_takes_its_multiples_and_nothing_else) {
  const EngineCase engine = engine_case(2, 2);
  const auto executable =
      detail::make_engine(stub_host(), engine.graph, bytes_of(plan_of(engine)), "watch.plait");
  EngineMemory four(engine, 4);
  four.bind(*executable)->run();
  EXPECT_LT(four.error(), kRounding);
  EngineMemory three(engine, 3);
  try {
    three.bind(*executable);
    FAIL() << "a batch of 3 was bound";
  } catch (const BackendError& error) {
    EXPECT_EQ(error.parts().where, "watch.plait");
    EXPECT_NE(error.parts().action.find("--batch 1,1,3"), std::string::npos) << error.what();
  }
}

TEST(Engine, page_locks_a_large_buffer_once_for_all_bindings_that_share_it) {
  const EngineCase engine = engine_case();
  for (const bool first_goes_first : {true, false}) {
    const auto host = stub_host();
    const auto executable =
        detail::make_engine(host, engine.graph, bytes_of(plan_of(engine)), "stub");
    EngineMemory memory(engine, 1);
    auto first = memory.bind(*executable);
    auto second = memory.bind(*executable);
    EXPECT_EQ(plait_stub_cuda()->registered, 1) << "only the picture is large";
    (first_goes_first ? first : second).reset();
    EXPECT_EQ(plait_stub_cuda()->registered, 1) << "the other still uses it";
    (first_goes_first ? second : first)->run();
    EXPECT_LT(memory.error(), kRounding);
    first.reset();
    second.reset();
    EXPECT_EQ(plait_stub_cuda()->registered, 0);
  }
}

TEST(Engine, allocates_nothing_once_bound) {
  const EngineCase engine = engine_case(1, 4);
  for (const bool integrated : {false, true}) {
    for (const bool uncapturable : {false, true}) {
      const auto host = stub_host({.integrated = integrated, .uncapturable = uncapturable});
      const auto executable =
          detail::make_engine(host, engine.graph, bytes_of(plan_of(engine)), "stub");
      EngineMemory memory(engine, 6);
      const auto bound = memory.bind(*executable);
      bound->run();
      const int memories = plait_stub_cuda()->memories;
      const testing_support::AllocationCounter allocations;
      for (int i = 0; i < 10; ++i) bound->run();
      EXPECT_EQ(allocations.count(), 0U);
      EXPECT_EQ(plait_stub_cuda()->memories, memories);
    }
  }
}

TEST(Engine, runs_its_bindings_on_many_threads_at_once) {
  const EngineCase engine = engine_case();
  const auto host = stub_host();
  const auto executable =
      detail::make_engine(host, engine.graph, bytes_of(plan_of(engine)), "stub");
  constexpr int kThreads = 4;
  std::vector<double> errors(kThreads, 1.0);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 generator(static_cast<std::uint32_t>(t));
        EngineMemory memory(engine, 1);
        const auto bound = memory.bind(*executable);
        double largest = 0.0;
        for (int i = 0; i < 5; ++i) {
          memory.fill(generator);
          bound->run();
          largest = std::max(largest, memory.error());
        }
        errors[static_cast<std::size_t>(t)] = largest;
      });
    }
  }
  for (const double error : errors) EXPECT_LT(error, kRounding);
}

TEST(Engine, leaves_the_threads_own_device_current) {
  const EngineCase engine = engine_case();
  const auto host = stub_host();
  const detail::CudaFunctions& cuda = host->cuda.functions();
  constexpr int kOther = 3;
  ASSERT_EQ(cuda.set_device(kOther), 0);
  const auto executable =
      detail::make_engine(host, engine.graph, bytes_of(plan_of(engine)), "stub");
  EngineMemory memory(engine, 1);
  const auto bound = memory.bind(*executable);
  bound->run();
  int device = 0;
  ASSERT_EQ(cuda.get_device(&device), 0);
  EXPECT_EQ(device, kOther);
  ASSERT_EQ(cuda.set_device(0), 0);
}

}  // namespace
}  // namespace plait::testing
