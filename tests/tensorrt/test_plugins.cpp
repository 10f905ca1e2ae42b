// test_plugins.cpp: every operator's plugin through its whole life on the fake host.
#include <gtest/gtest.h>

#include <cstdio>
#include <limits>
#include <random>
#include <set>

#include "fake_host.hpp"
#include "op_cases.hpp"
#include "op_runs.hpp"
#include "ops/adapters/tensorrt.hpp"
#include "ops/adapters/tensorrt_fields.hpp"
#include "ops/cuda.hpp"
#include "ops/shape_rule.hpp"
#include "plait/error.hpp"

namespace plait::testing {
namespace {

using nvinfer1::PluginField;
using nvinfer1::PluginFieldCollection;
using nvinfer1::PluginFieldType;

class RandomChoices final : public Choices {
 public:
  explicit RandomChoices(std::uint32_t seed) : generator_(seed) {}
  std::uint32_t next() override { return static_cast<std::uint32_t>(generator_()); }

 private:
  std::mt19937 generator_;
};

class Plugins : public ::testing::TestWithParam<std::tuple<OpCase, DType>> {
 protected:
  Plugins() : seed_(std::random_device()()), choices_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %u\n", seed_);
  }
  const OpCase& one() const { return std::get<0>(GetParam()); }
  DType floats() const { return std::get<1>(GetParam()); }
  OpCall draw() { return one().draw(choices_, floats()); }
  nvinfer1::IPluginCreatorV3One& creator() {
    return *registry_of_plugins().at({"ai.plait", std::string(one().name)});
  }

  std::uint32_t seed_;
  RandomChoices choices_;
  FakeLog log_;
};

TEST_P(Plugins, LiveFromFieldsToAnswersAsTheReference) {
  int lives = 0;
  for (int round = 0; round < 20; ++round) {
    const OpCall call = draw();
    const auto expected = run_or_refuse(*call.op, call.views(), 1, ops::Implementation::kScalar);
    if (!expected) continue;
    const ops::Fields fields(call.op->schema(), call.attributes);
    auto got = FakeHost(creator(), log_).live(*fields.collection(), call.views(), round % 2 == 0);
    if (call.op->schema().shapes_from_values) got.pop_back();  // the size, which shapes now have
    ASSERT_EQ(got.size(), expected->size());
    ASSERT_EQ(difference(got, *expected, one().tolerance(floats())), "") << "round " << round;
    ++lives;
  }
  EXPECT_GT(lives, 0);
}

TEST_P(Plugins, ShapesAreThoseOfTheOperatorsOwnRule) {
  for (int round = 0; round < 40; ++round) {
    const OpCall call = draw();
    const std::vector<ConstTensorView> inputs = call.views();
    const ops::ShapeRule rule(call.op->schema(), call.attributes);
    std::vector<Shape> inferred(call.op->schema().outputs().size());
    ops::infer_checked(*call.op, inputs, inferred);
    std::vector<Shape> largest(inferred.size());
    rule.largest(inputs, largest);
    for (std::size_t i = 0; i < inferred.size(); ++i) {
      ASSERT_EQ(largest[i].rank(), inferred[i].rank());
      for (std::size_t axis = 0; axis < inferred[i].rank(); ++axis) {
        const bool from_values =
            rule.outputs()[i][axis].first.source == ops::ShapeRule::Source::kValues;
        if (from_values) {
          ASSERT_GE(largest[i][axis], inferred[i][axis]);
        } else {
          ASSERT_EQ(largest[i][axis], inferred[i][axis]) << "output " << i << ", axis " << axis;
        }
      }
    }
  }
}

TEST_P(Plugins, TakeLinearTensorsOfTheirTypesOnly) {
  const OpCall call = draw();
  const ops::Fields fields(call.op->schema(), call.attributes);
  const PluginPointer plugin(
      creator().createPlugin("layer", fields.collection(), nvinfer1::TensorRTPhase::kBUILD));
  ASSERT_NE(plugin, nullptr);
  const auto outputs = build_of(*plugin).getNbOutputs();
  const auto inputs = static_cast<std::int32_t>(call.inputs.size());
  std::vector<nvinfer1::DynamicPluginTensorDesc> tensors(
      static_cast<std::size_t>(inputs + outputs));
  std::vector<nvinfer1::DataType> types;
  for (const Tensor& input : call.inputs) types.push_back(type_of(input.dtype()));
  types.resize(tensors.size());
  ASSERT_EQ(
      build_of(*plugin).getOutputDataTypes(types.data() + inputs, outputs, types.data(), inputs),
      0);
  const auto supports = [&](std::size_t i) {
    return build_of(*plugin).supportsFormatCombination(static_cast<std::int32_t>(i), tensors.data(),
                                                       inputs, outputs);
  };
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    auto& desc = tensors[i].desc;
    for (const auto type : {nvinfer1::DataType::kINT8, nvinfer1::DataType::kBF16,
                            nvinfer1::DataType::kINT64, nvinfer1::DataType::kBOOL}) {
      desc = {{}, type, nvinfer1::TensorFormat::kLINEAR, 1.0F};
      EXPECT_FALSE(supports(i)) << "tensor " << i;
    }
    desc = {{}, types[i], nvinfer1::TensorFormat::kHWC8, 1.0F};
    EXPECT_FALSE(supports(i)) << "tensor " << i;
    desc.format = nvinfer1::TensorFormat::kLINEAR;
    EXPECT_TRUE(supports(i)) << "tensor " << i;
  }
  EXPECT_EQ(log_.take(), "");
}

TEST_P(Plugins, WrongShapesAndCountsAreRefusedWithAMessage) {
  const OpCall call = draw();
  const ops::Fields fields(call.op->schema(), call.attributes);
  const PluginPointer plugin(
      creator().createPlugin("layer", fields.collection(), nvinfer1::TensorRTPhase::kRUNTIME));
  ASSERT_NE(plugin, nullptr);
  std::vector<nvinfer1::PluginTensorDesc> in;
  for (const Tensor& input : call.inputs) {
    in.push_back(
        {dims_of(input.shape()), type_of(input.dtype()), nvinfer1::TensorFormat::kLINEAR, 1.0F});
  }
  const auto inputs = static_cast<std::int32_t>(in.size());
  const auto outputs = build_of(*plugin).getNbOutputs();
  auto& runtime = runtime_of(*plugin);
  EXPECT_EQ(runtime.onShapeChange(in.data(), inputs, nullptr, outputs), 0);
  EXPECT_NE(runtime.onShapeChange(in.data(), inputs - 1, nullptr, outputs), 0);
  EXPECT_NE(log_.take().find("inputs"), std::string::npos);
  for (auto& desc : in) {
    const auto kept = desc;
    desc.dims.nbDims += 1;
    desc.dims.d[desc.dims.nbDims - 1] = 1;
    EXPECT_NE(runtime.onShapeChange(in.data(), inputs, nullptr, outputs), 0);
    const std::string said = log_.take();
    EXPECT_NE(said.find(one().name), std::string::npos) << said;
    desc = kept;
    desc.type = nvinfer1::DataType::kBOOL;
    EXPECT_NE(runtime.onShapeChange(in.data(), inputs, nullptr, outputs), 0);
    EXPECT_NE(log_.take().find("element type"), std::string::npos);
    desc = kept;
  }
}

TEST_P(Plugins, FieldsThatAreMissingUnknownOrOfAnotherTypeAreRefused) {
  const OpCall call = draw();
  const ops::Schema& schema = call.op->schema();
  const ops::Fields good(schema, call.attributes);
  const std::vector<PluginField> fields(good.collection()->fields,
                                        good.collection()->fields + good.collection()->nbFields);
  const auto made = [&](std::vector<PluginField> changed) {
    const PluginFieldCollection collection{static_cast<std::int32_t>(changed.size()),
                                           changed.data()};
    const PluginPointer plugin(
        creator().createPlugin("layer", &collection, nvinfer1::TensorRTPhase::kBUILD));
    return plugin != nullptr;
  };
  ASSERT_TRUE(made(fields));
  ASSERT_EQ(log_.take(), "");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string name = fields[i].name;
    std::vector<PluginField> changed = fields;
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(made(changed), !schema.attributes()[i].required) << name;
    const std::string missing = log_.take();
    if (schema.attributes()[i].required) {
      EXPECT_NE(missing.find(name), std::string::npos);
    }
    for (const auto type : {PluginFieldType::kFLOAT64, PluginFieldType::kINT8}) {
      changed = fields;
      changed[i].type = type;
      EXPECT_FALSE(made(changed)) << name;
      EXPECT_NE(log_.take().find(name), std::string::npos);
    }
    changed = fields;
    changed[i].data = nullptr;
    changed[i].length = 3;
    EXPECT_FALSE(made(changed)) << name;
    EXPECT_NE(log_.take().find(name), std::string::npos);
  }
  std::vector<PluginField> more = fields;
  const float value = 1.0F;
  more.emplace_back("no_such_field", &value, PluginFieldType::kFLOAT32, 1);
  EXPECT_FALSE(made(more));
  EXPECT_NE(log_.take().find("no_such_field"), std::string::npos);
}

TEST_P(Plugins, TimingsAreSharedOnlyWhereAttributesAreTheSame) {
  const auto id = [&](const OpCall& call) {
    const ops::Fields fields(call.op->schema(), call.attributes);
    const PluginPointer plugin(
        creator().createPlugin("layer", fields.collection(), nvinfer1::TensorRTPhase::kBUILD));
    return std::pair(std::string(build_of(*plugin).getTimingCacheID()), fields.text());
  };
  const auto [first, first_text] = id(draw());
  const auto [second, second_text] = id(draw());
  EXPECT_EQ(first == second, first_text == second_text);
}

INSTANTIATE_TEST_SUITE_P(All, Plugins,
                         ::testing::Combine(::testing::ValuesIn(op_cases().begin(),
                                                                op_cases().end()),
                                            ::testing::Values(DType::kFloat32, DType::kFloat16)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  std::string(name_of(std::get<1>(info.param)));
                         });

TEST(PluginLibrary, HasEveryOperatorInItsOwnAndInTheDefaultNamespace) {
  const auto registry = registry_of_plugins();
  EXPECT_EQ(registry.size(), 2 * ops::registry().size());
  for (const ops::OpEntry& entry : ops::registry()) {
    for (const char* name_space : {"ai.plait", ""}) {
      const auto found = registry.find({name_space, std::string(entry.schema->name)});
      ASSERT_NE(found, registry.end()) << entry.schema->name;
      EXPECT_STREQ(found->second->getPluginVersion(), "1");
      const PluginFieldCollection* names = found->second->getFieldNames();
      ASSERT_EQ(static_cast<std::size_t>(names->nbFields), entry.schema->attributes().size());
    }
  }
  EXPECT_STRNE(plait_plugins_abi(), "");
}

TEST(PluginLibrary, AnOperatorsPluginKeepsTheNamespaceItWasMadeIn) {
  for (const auto& [key, creator] : registry_of_plugins()) {
    if (key.second != "GatedFusion") continue;
    const PluginPointer plugin(
        creator->createPlugin("layer", nullptr, nvinfer1::TensorRTPhase::kBUILD));
    ASSERT_NE(plugin, nullptr);
    EXPECT_EQ(core_of(*plugin).getPluginNamespace(), key.first);
    EXPECT_EQ(core_of(*plugin).getPluginName(), key.second);
  }
}

TEST(PluginLibrary, TakesFieldsAsTheOnnxParserGivesThem) {
  // It gives whole numbers as int32, and words with or without their terminator.
  const std::int32_t rows = 3;
  const std::int32_t columns = 2;
  const FakeLog log;
  for (const std::int32_t length : {3, 4}) {
    const std::vector<PluginField> fields = {{"rows", &rows, PluginFieldType::kINT32, 1},
                                             {"columns", &columns, PluginFieldType::kINT32, 1},
                                             {"reduce", "sum", PluginFieldType::kCHAR, length}};
    const PluginFieldCollection collection{3, fields.data()};
    const ops::Attributes attributes =
        ops::read_fields(*ops::op_named("PillarScatter").schema, &collection);
    EXPECT_EQ(attributes.whole("rows"), 3);
    EXPECT_EQ(attributes.word("reduce"), "sum");
  }
}

TEST(ShapeRule, FormulasAreReadFromLeftToRight) {
  const ops::Schema schema = ops::schema("Made", "up")
                                 .input("a", ops::kFloats, "[n + 1, 3], of which n count")
                                 .output("y", ops::kFloats, "[n * 2 - step / 3, 7, n]")
                                 .required("step", ops::AttributeKind::kInt, "");
  ops::Attributes attributes(schema);
  attributes.set("step", std::int64_t{4});
  const ops::ShapeRule rule(schema, attributes);
  const ConstTensorView input(nullptr, DType::kFloat32, Shape{11, 3});
  Shape output;
  rule.largest({&input, 1}, {&output, 1});
  EXPECT_EQ(output, (Shape{(10 * 2 - 4) / 3, 7, 10}));
}

TEST(ShapeRule, WordsThatAreNoFormulaAreRefusedByName) {
  for (const std::string_view words : {"n", "[n", "[n m]", "[n ? 2]", "[unheard]", "[n +]"}) {
    const ops::Schema schema =
        ops::schema("Made", "up").input("a", ops::kFloats, "[n]").output("y", ops::kFloats, words);
    try {
      const ops::ShapeRule rule(schema, ops::Attributes(schema));
      ADD_FAILURE() << words;
    } catch (const ConfigError& error) {
      EXPECT_NE(error.parts().where.find("shape of y"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace plait::testing
