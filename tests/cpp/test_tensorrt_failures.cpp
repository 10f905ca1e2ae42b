// test_tensorrt_failures.cpp: whatever fails in CUDA or TensorRT is a BackendError, and nothing is
// kept.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <string>

#include "plait/error.hpp"
#include "tensorrt_cases.hpp"

namespace plait::testing {
namespace {

constexpr double kRounding = 1e-6;

/// The error of what is done, which has to name the place.
ErrorParts refused(const std::function<void()>& done) {
  try {
    done();
  } catch (const BackendError& error) {
    return error.parts();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class FailureTest : public ::testing::Test {
 protected:
  void TearDown() override {
    host_.reset();
    EXPECT_EQ(held_by_stubs(), "");
    EXPECT_EQ(plait_stub_cuda()->wrong_pointers, 0);
    reset_stubs();
  }
  std::unique_ptr<detail::Executable> load(const std::string& plan) {
    return detail::make_engine(host_, engine_.graph, bytes_of(plan), "watch.plait, head");
  }

  EngineCase engine_ = engine_case();
  std::string plan_ = plan_of(engine_);
  std::shared_ptr<detail::EngineHost> host_ = stub_host();
};

TEST_F(FailureTest, a_plan_that_is_none_is_refused_with_tensorrts_reason) {
  for (const std::string& plan : {std::string("garbage"), std::string(), plan_.substr(1)}) {
    const ErrorParts parts = refused([&] { load(plan); });
    EXPECT_EQ(parts.where, "watch.plait, head");
    EXPECT_TRUE(contains(parts.got, "magic tag")) << parts.got;
    EXPECT_TRUE(contains(parts.action, "plait build")) << parts.action;
  }
}

TEST_F(FailureTest, an_engine_of_another_graph_is_refused) {
  const std::pair<std::function<void(EngineCase&)>, const char*> changes[] = {
      {[](EngineCase& other) { other.graph.inputs[1].name = "token"; }, "none of that name"},
      {[](EngineCase& other) { other.graph.inputs.pop_back(); }, "2"},
      {[](EngineCase& other) {
         other.graph.outputs.push_back({"more", DType::kFloat32, {-1, 2}});
       },
       "3"},
      {[](EngineCase& other) { std::swap(other.graph.inputs[2], other.graph.outputs[0]); },
       "none of that name"},
      {[](EngineCase& other) { other.graph.inputs[0].shape[2] = 96; }, "[1, 3, 96, 61]"},
      {[](EngineCase& other) { other.graph.outputs[0].shape.push_back(1); }, "[1, 129, 1]"},
      {[](EngineCase& other) { other.graph.inputs[1].dtype = DType::kFloat32; }, "data type 0"}};
  for (const auto& [change, got] : changes) {
    EngineCase other = engine_;
    change(other);
    const ErrorParts parts = refused([&] { load(plan_of(other)); });
    EXPECT_TRUE(contains(parts.got, got)) << parts.expected << ", got " << parts.got;
  }
  plait_stub_tensorrt()->linear = false;
  EXPECT_TRUE(contains(refused([&] { load(plan_); }).got, "layout"));
}

/// Each function of CUDA that binding or running calls, failing at each of its calls.
TEST_F(FailureTest, every_call_of_cuda_that_fails_in_a_binding_is_an_error_and_leaks_nothing) {
  for (const bool integrated : {false, true}) {
    host_.reset();
    host_ = stub_host({.integrated = integrated, .registers = !integrated});
    const auto executable = load(plan_);
    for (const char* function :
         {"cudaMalloc", "cudaHostAlloc", "cudaHostGetDevicePointer", "cudaMemcpyAsync",
          "cudaStreamCreateWithFlags", "cudaStreamSynchronize"}) {
      int failures = 0;
      for (bool failed = true; failed; ++failures) {
        EngineMemory memory(engine_, 1);
        plait_stub_cuda()->failure = {.function = function, .passes = failures};
        std::unique_ptr<detail::BoundRun> bound;
        try {
          bound = memory.bind(*executable);
        } catch (const BackendError& error) {
          EXPECT_EQ(error.parts().where, "watch.plait, head") << function;
          EXPECT_TRUE(contains(error.parts().got, "out of memory")) << error.what();
        }
        // A copy that fails under capture only costs the graph.
        failed = plait_stub_cuda()->failure.function == nullptr;
        EXPECT_TRUE(failed || bound != nullptr) << function;
        plait_stub_cuda()->failure = {};
        if (bound != nullptr) {
          bound->run();
          EXPECT_LT(memory.error(), kRounding) << function;
        }
        EXPECT_EQ(plait_stub_tensorrt()->contexts, bound != nullptr ? 1 : 0) << function;
      }
      const bool called = failures > 1;
      const std::string name = function;
      if (name == "cudaMalloc" || name == "cudaMemcpyAsync") {
        EXPECT_NE(called, integrated) << function;
      }
      EXPECT_EQ(plait_stub_cuda()->memories, 0) << function;
      EXPECT_EQ(plait_stub_cuda()->streams, 0) << function;
    }
  }
}

TEST_F(FailureTest, a_graph_that_cuda_does_not_make_is_done_without) {
  const auto executable = load(plan_);
  for (const char* function :
       {"cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiateWithFlags"}) {
    EngineMemory memory(engine_, 1);
    plait_stub_cuda()->failure = {.function = function};
    const auto bound = memory.bind(*executable);
    EXPECT_EQ(plait_stub_cuda()->failure.function, nullptr) << function << " was not called";
    const int launches = plait_stub_cuda()->graph_launches;
    bound->run();
    EXPECT_EQ(plait_stub_cuda()->graph_launches, launches);
    EXPECT_LT(memory.error(), kRounding) << function;
    EXPECT_EQ(host_->cuda.functions().last_error(), 0) << "an error is left for others to find";
  }
}

TEST_F(FailureTest, page_locking_that_fails_costs_a_copy) {
  const auto executable = load(plan_);
  EngineMemory memory(engine_, 1);
  plait_stub_cuda()->failure = {.function = "cudaHostRegister"};
  const auto bound = memory.bind(*executable);
  EXPECT_EQ(plait_stub_cuda()->registered, 0);
  bound->run();
  EXPECT_LT(memory.error(), kRounding);
  EXPECT_EQ(plait_stub_cuda()->unlocked_copies, 0);
}

TEST_F(FailureTest, a_context_or_shape_that_tensorrt_refuses_is_an_error) {
  const auto executable = load(plan_);
  EngineMemory memory(engine_, 1);
  plait_stub_tensorrt()->refuse_context = true;
  EXPECT_TRUE(contains(refused([&] { memory.bind(*executable); }).got, "no memory for a context"));
  plait_stub_tensorrt()->refuse_context = false;
  plait_stub_tensorrt()->refuse_shape = true;
  EXPECT_TRUE(contains(refused([&] { memory.bind(*executable); }).got, "outside the profile"));
}

TEST_F(FailureTest, an_enqueue_that_fails_is_an_error_and_the_next_run_answers) {
  plait_stub_tensorrt()->uncapturable = true;
  const auto executable = load(plan_);
  EngineMemory memory(engine_, 1);
  plait_stub_tensorrt()->enqueues_until_failure = 0;
  EXPECT_TRUE(contains(refused([&] { memory.bind(*executable); }).got, "an enqueue that"));
  const auto bound = memory.bind(*executable);
  plait_stub_tensorrt()->enqueues_until_failure = 0;
  EXPECT_TRUE(contains(refused([&] { bound->run(); }).got, "an enqueue that"));
  std::mt19937 generator(7);
  memory.fill(generator);
  bound->run();
  EXPECT_LT(memory.error(), kRounding);
}

TEST_F(FailureTest, a_run_that_cuda_refuses_is_an_error_and_the_next_one_answers) {
  const auto executable = load(plan_);
  EngineMemory memory(engine_, 1);
  const auto bound = memory.bind(*executable);
  std::mt19937 generator(11);
  for (const char* function : {"cudaGraphLaunch", "cudaStreamSynchronize"}) {
    plait_stub_cuda()->failure = {.function = function};
    EXPECT_TRUE(contains(refused([&] { bound->run(); }).got, "CUDA error 2: out of memory"));
    memory.fill(generator);
    bound->run();
    EXPECT_LT(memory.error(), kRounding) << function;
  }
}

TEST_F(FailureTest, inputs_without_a_common_batch_are_refused) {
  EngineCase other = engine_case(1, 4);
  std::string plan = plan_of(other);
  // One input of a fixed batch beyond the others' profile.
  const std::size_t place = plan.find("tokens 8 -1");
  plan.replace(place, 11, "tokens 8 5");
  EXPECT_TRUE(contains(refused([&] { load(plan); }).got, "without a common one"));
}

}  // namespace
}  // namespace plait::testing
