// test_ops.cpp: every operator of the registry, vectors against the plain loop, on any machine.
//
// The plain loop itself is compared with torch in tests/ops, which runs where torch does; this
// suite needs nothing but the core, and so runs under emulation and under the sanitizers too.
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>
#include <set>

#include "allocations.hpp"
#include "op_cases.hpp"
#include "op_runs.hpp"
#include "plait/error.hpp"

namespace plait::testing {
namespace {

using ops::Implementation;

class RandomChoices final : public Choices {
 public:
  explicit RandomChoices(std::uint32_t seed) : generator_(seed) {}
  std::uint32_t next() override { return static_cast<std::uint32_t>(generator_()); }

 private:
  std::mt19937 generator_;
};

using Parameter = std::tuple<OpCase, DType>;

class OpsTest : public ::testing::TestWithParam<Parameter> {
 protected:
  OpsTest() : seed_(std::random_device()()), choices_(seed_) {
    RecordProperty("seed", std::to_string(seed_));
  }
  void TearDown() override {
    if (HasFailure()) std::printf("seed %u\n", seed_);
  }
  const OpCase& one() const { return std::get<0>(GetParam()); }
  DType floats() const { return std::get<1>(GetParam()); }
  OpCall draw() { return one().draw(choices_, floats()); }

  std::uint32_t seed_;
  RandomChoices choices_;
};

TEST_P(OpsTest, VectorsAnswerAsThePlainLoop) {
  for (int round = 0; round < 60; ++round) {
    const OpCall call = draw();
    const Outputs expected = run(*call.op, call.views(), 1, Implementation::kScalar);
    const Outputs got = run(*call.op, call.views(), 1, Implementation::kSimd);
    ASSERT_EQ(difference(got, expected, one().tolerance(floats())), "") << "round " << round;
  }
}

TEST_P(OpsTest, TheThreadCountChangesNoBit) {
  for (int round = 0; round < 6; ++round) {
    const OpCall call = draw();
    const auto alone = bits_of(run(*call.op, call.views(), 1, Implementation::kSimd));
    for (const int threads : {2, 3, 7}) {
      ASSERT_EQ(bits_of(run(*call.op, call.views(), threads, Implementation::kSimd)), alone)
          << threads << " threads, round " << round;
    }
  }
}

TEST_P(OpsTest, WhatIsNotFiniteSpreadsAsInThePlainLoop) {
  const std::array values = {std::numeric_limits<float>::quiet_NaN(),
                             std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity()};
  for (int round = 0; round < 24; ++round) {
    OpCall call = draw();
    Tensor& input =
        call.inputs[one().poisoned[static_cast<std::size_t>(round) % one().poisoned.size()]];
    const std::int64_t count = input.shape().elements();
    if (count == 0) continue;
    write(input.view(), choices_.whole(0, count - 1),
          values[static_cast<std::size_t>(choices_.whole(0, 2))]);
    const Outputs expected = run(*call.op, call.views(), 1, Implementation::kScalar);
    const Outputs got = run(*call.op, call.views(), 2, Implementation::kSimd);
    ASSERT_EQ(difference(got, expected, 0.0, true), "") << "round " << round;
  }
}

// Under a sanitizer this is the proof that no index is followed before it is checked.
TEST_P(OpsTest, AnyIndexIsRefusedOrUnderstoodAlike) {
  constexpr std::array kNumbers = {std::numeric_limits<std::int32_t>::min(), -2, -1, 0, 1, 3, 1000,
                                   std::numeric_limits<std::int32_t>::max()};
  for (int round = 0; round < 60; ++round) {
    OpCall call = draw();
    for (Tensor& input : call.inputs) {
      const std::int64_t count = input.shape().elements();
      if (input.dtype() != DType::kInt32 || count == 0) continue;
      const auto numbers = input.view().as_span<std::int32_t>();
      numbers[static_cast<std::size_t>(choices_.whole(0, count - 1))] =
          kNumbers[static_cast<std::size_t>(choices_.whole(0, kNumbers.size() - 1))];
    }
    const auto expected = run_or_refuse(*call.op, call.views(), 1, Implementation::kScalar);
    const auto got = run_or_refuse(*call.op, call.views(), 2, Implementation::kSimd);
    ASSERT_EQ(got.has_value(), expected.has_value()) << "round " << round;
    if (!expected) continue;
    ASSERT_EQ(difference(*got, *expected, one().tolerance(floats())), "") << "round " << round;
  }
}

TEST_P(OpsTest, WhatTheSchemaDoesNotAllowIsRefused) {
  const OpCall call = draw();
  const std::vector<ConstTensorView> views = call.views();
  const auto refused = [&](std::vector<ConstTensorView> inputs) {
    EXPECT_THROW(run(*call.op, inputs, 1, Implementation::kSimd), SampleError);
  };
  refused({views.begin(), views.end() - 1});
  for (std::size_t i = 0; i < views.size(); ++i) {
    auto changed = views;
    changed[i].dtype = DType::kFloat64;
    refused(changed);
    changed = views;
    std::vector<std::int64_t> dims(views[i].shape.dims().begin(), views[i].shape.dims().end());
    dims.insert(dims.begin(), 1);
    changed[i] = {views[i].data, views[i].dtype, Shape(dims)};
    refused(changed);
    if (views[i].shape.elements() == 0) continue;
    changed = views;
    changed[i].data = nullptr;
    refused(changed);
  }
}

TEST_P(OpsTest, TooLittleMemoryIsRefused) {
  const OpCall call = draw();
  const std::vector<ConstTensorView> views = call.views();
  Outputs outputs = outputs_of(*call.op, views);
  std::vector<TensorView> to;
  for (Tensor& output : outputs) to.push_back(output.view());
  ops::Sequential sequential;
  if (call.op->scratch_bytes(views, 1) > 0) {
    EXPECT_THROW(ops::run_checked(*call.op, {views, to}, sequential, Implementation::kSimd),
                 ConfigError);
  }
  to[0].shape = Shape{1, 2, 3, 4, 5, 6, 7};
  EXPECT_THROW(ops::run_alone(*call.op, views, to, 1, Implementation::kSimd), SampleError);
}

TEST_P(OpsTest, ARunAllocatesNothing) {
  for (int round = 0; round < 6; ++round) {
    const OpCall call = draw();
    const std::vector<ConstTensorView> views = call.views();
    Outputs outputs = outputs_of(*call.op, views);
    std::vector<TensorView> to;
    for (Tensor& output : outputs) to.push_back(output.view());
    Tensor scratch(DType::kUInt8,
                   Shape{static_cast<std::int64_t>(call.op->scratch_bytes(views, 1))});
    const auto bytes = std::as_writable_bytes(scratch.view().as_span<std::uint8_t>());
    ops::Sequential sequential;
    const testing_support::AllocationCounter allocations;
    ops::run_checked(*call.op, {views, to, bytes}, sequential, Implementation::kSimd);
    EXPECT_EQ(allocations.count(), 0U) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Operators, OpsTest,
                         ::testing::Combine(::testing::ValuesIn(op_cases().begin(),
                                                                op_cases().end()),
                                            ::testing::Values(DType::kFloat32, DType::kFloat16)),
                         [](const ::testing::TestParamInfo<Parameter>& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  std::string(name_of(std::get<1>(info.param)));
                         });

// Found by fuzz_ops: with no cells the rows are bounded by nothing else, and their count
// overflowed.
TEST(BevPool, RefusesMoreRowsThanIndicesReach) {
  const ops::OpEntry& entry = ops::op_named("BevPool");
  ops::Attributes attributes(*entry.schema);
  for (const std::int64_t rows : {std::numeric_limits<std::int64_t>::max(), std::int64_t{1} << 31,
                                  std::int64_t{0}, std::int64_t{-1}}) {
    attributes.set("rows", rows);
    EXPECT_THROW(entry.make(attributes), ConfigError) << rows;
  }
}

/// Of as many elements as numbers, or none: tensors of no elements may have any other size.
ConstTensorView view_of(const Shape& shape, std::span<const std::int32_t> numbers = {}) {
  static constexpr std::int32_t kNothing = 0;
  return {numbers.empty() ? &kNothing : numbers.data(),
          numbers.empty() ? DType::kFloat32 : DType::kInt32, shape};
}

void expect_refused(std::string_view name, const std::vector<ConstTensorView>& inputs) {
  const ops::OpEntry& entry = ops::op_named(name);
  const auto op = entry.make(ops::Attributes(*entry.schema));
  std::vector<Shape> shapes(entry.schema->outputs().size());
  EXPECT_THROW(ops::infer_checked(*op, inputs, shapes), SampleError);
}

TEST(MultiScaleDeformableAttention, RefusesMorePositionsThanIndicesReach) {
  constexpr std::array<std::int32_t, 2> kLevel = {1 << 16, 1 << 16};
  expect_refused("MultiScaleDeformableAttention",
                 {view_of(Shape{0, std::int64_t{1} << 32, 1, 1}), view_of(Shape{1, 2}, kLevel),
                  view_of(Shape{0, 1, 1, 1, 1, 2}), view_of(Shape{0, 1, 1, 1, 1})});
}

TEST(PresencePack, RefusesMoreTokensThanPositionsName) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  constexpr std::array<std::int32_t, 2> kLengths = {kMost, kMost};
  expect_refused("PresencePack", {view_of(Shape{0, std::int64_t{2} * kMost, 1}),
                                  view_of(Shape{0, 2}), view_of(Shape{2}, kLengths)});
}

TEST(OpCases, EveryOperatorHasOne) {
  std::set<std::string_view> listed;
  std::set<std::string_view> drawn;
  for (const ops::OpEntry& entry : ops::registry()) listed.insert(entry.schema->name);
  for (const OpCase& each : op_cases()) drawn.insert(each.name);
  EXPECT_EQ(drawn, listed);
}

}  // namespace
}  // namespace plait::testing
