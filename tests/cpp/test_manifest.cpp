// test_manifest.cpp: manifests are read in full; what is no JSON, or too much of it, is refused.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "bundle/manifest.hpp"
#include "bundle_writer.hpp"
#include "manifest_cases.hpp"
#include "plait/error.hpp"

namespace plait {
namespace {

using detail::parse_manifest;
using nlohmann::json;
using testing::example_manifest;
using testing::refusal_of;
using testing::with;
using testing::without;

Manifest parse(const json& manifest) { return parse_manifest(manifest.dump(), "manifest.json"); }

TEST(Manifest, gives_every_field) {
  const Manifest manifest = parse(example_manifest());
  EXPECT_EQ(manifest.format_major, 1);
  EXPECT_EQ(manifest.format_minor, 0);
  EXPECT_EQ(manifest.name, "example");
  EXPECT_EQ(manifest.description, "Two sensors,\nthree heads.");
  ASSERT_EQ(manifest.modalities.size(), 2U);
  const ModalityDescription& wrist = manifest.modalities[0];
  EXPECT_EQ(wrist.name, "wrist");
  EXPECT_EQ(wrist.kind, "signal");
  EXPECT_EQ(wrist.encoder, "wrist_encoder");
  EXPECT_EQ(wrist.max_age_ms, 400.0);
  EXPECT_EQ(wrist.when_missing, WhenMissing::kLearned);
  EXPECT_EQ(wrist.signal.sensor_channels, 3);
  EXPECT_EQ(wrist.signal.unit, "m/s^2");
  EXPECT_EQ(wrist.signal.rate_hz, 50.0);
  EXPECT_EQ(wrist.signal.rate_tolerance, 0.1);
  EXPECT_EQ(wrist.signal.window, 100);
  EXPECT_EQ(wrist.signal.max_gap_ms, 60.5);
  EXPECT_EQ(wrist.signal.layout, SignalLayout::kNCT);
  EXPECT_EQ(wrist.signal.mean, (std::vector<float>{0.1F, 0.0F, 9.6F}));
  EXPECT_EQ(wrist.signal.std, (std::vector<float>{1.0F, 2.0F, 0.5F}));
  ASSERT_EQ(manifest.graphs.size(), 5U);
  EXPECT_EQ(manifest.graphs[2].role, GraphRole::kHead);
  EXPECT_EQ(manifest.graphs[2].inputs[1].shape, (std::vector<std::int64_t>{-1, 5, 16}));
  EXPECT_EQ(manifest.graphs[2].outputs[0].name, "logits");
  ASSERT_EQ(manifest.heads.size(), 3U);
  EXPECT_EQ(manifest.heads[0].labels, (std::vector<std::string>{"press", "row", "rest"}));
  EXPECT_EQ(manifest.heads[0].modalities, (std::vector<std::string>{"wrist", "chest"}));
  EXPECT_EQ(manifest.heads[1].kind, HeadKind::kRegression);
  EXPECT_EQ(manifest.heads[1].units, std::vector<std::string>{"W"});
  EXPECT_EQ(manifest.heads[2].kind, HeadKind::kEmbedding);
  ASSERT_EQ(manifest.variants.size(), 2U);
  EXPECT_EQ(manifest.variants[1].scheme, "static u8u8");
  EXPECT_EQ(manifest.variants[1].form, GraphForm::kPortable);
  EXPECT_EQ(manifest.variants[1].members.at("wrist_encoder"), "graphs/wrist_encoder.int8.onnx");
  EXPECT_EQ(manifest.default_precision, "int8");
  ASSERT_EQ(manifest.quality.size(), 2U);
  EXPECT_EQ(manifest.quality[1].presence, std::vector<std::string>{"chest"});
  EXPECT_EQ(manifest.quality[1].value, 0.78);
  EXPECT_EQ(manifest.quality[1].samples, 512);
  EXPECT_EQ(manifest.members.at("graphs/place_head.fp32.onnx").bytes, 0U);
  EXPECT_EQ(manifest.members.at("graphs/place_head.fp32.onnx").sha256.substr(0, 8), "e3b0c442");
}

TEST(Manifest, looks_channels_up_among_the_sensors) {
  const Manifest manifest = parse(example_manifest());
  const SignalDescription& chest = manifest.modalities[1].signal;
  EXPECT_EQ(chest.sensor_channels, 3);
  EXPECT_EQ(chest.sensor_unit, "deg/s");
  EXPECT_EQ(chest.layout, SignalLayout::kNTC);
  ASSERT_EQ(chest.channels.size(), 2U);
  EXPECT_EQ(chest.channels[0].name, "z");
  EXPECT_EQ(chest.channels[0].source, 2);
  EXPECT_EQ(chest.channels[0].sign, 1.0F);
  EXPECT_EQ(chest.channels[1].name, "x");
  EXPECT_EQ(chest.channels[1].source, 0);
  EXPECT_EQ(chest.channels[1].sign, -1.0F);
}

TEST(Manifest, fills_in_what_may_be_left_out) {
  const Manifest manifest = parse(example_manifest());
  EXPECT_EQ(manifest.modalities[1].signal.rate_tolerance, 0.2);
  EXPECT_EQ(manifest.modalities[1].signal.max_gap_ms, 30.0);
  for (const std::string field :
       {"description", "created", "lineage", "gate", "quality", "golden"}) {
    EXPECT_NO_THROW(parse(without("/" + field))) << field;
  }
}

TEST(Manifest, finds_by_name) {
  const Manifest manifest = parse(example_manifest());
  EXPECT_EQ(manifest.modality("chest"), &manifest.modalities[1]);
  EXPECT_EQ(manifest.graph("place_head"), &manifest.graphs[4]);
  EXPECT_EQ(manifest.head("effort"), &manifest.heads[1]);
  EXPECT_EQ(manifest.variant("fp32"), &manifest.variants[0]);
  EXPECT_EQ(manifest.modality("none"), nullptr);
  EXPECT_EQ(manifest.graph(""), nullptr);
  EXPECT_EQ(manifest.head("wrist"), nullptr);
  EXPECT_EQ(manifest.variant("fp16"), nullptr);
}

TEST(Manifest, ignores_fields_of_a_newer_minor) {
  json manifest = with("/format_version/minor", 7);
  manifest["novelty"] = {{"deep", json::array({1, 2})}};
  manifest["modalities"][0]["signal"]["novelty"] = nullptr;
  EXPECT_EQ(parse(manifest).format_minor, 7);
}

TEST(Manifest, refuses_a_newer_major_before_anything_else) {
  const ErrorParts parts =
      refusal_of(R"({"format": "plait-bundle", "format_version": {"major": 2, "minor": 1}})");
  EXPECT_EQ(parts.got, "format 2.1");
  EXPECT_NE(parts.action.find("Upgrade plait"), std::string::npos);
}

TEST(Manifest, refuses_what_is_no_json) {
  const std::string good = example_manifest().dump();
  for (const std::string& text :
       {std::string(), std::string("nonsense"), good.substr(0, good.size() - 1), good + "}",
        good + good, std::string("{\"a\": NaN}"), std::string("{\"a\": 1e999}"),
        std::string("{\"a\": \"\xff\"}"), std::string("{\"a\": \"\\ud800\"}"),
        std::string("{\"a\": 1} // comment"), std::string("{\"a\": 1,}"),
        std::string("{\"a\": \"") + std::string(100'000, 'z'), std::string(3, '\0')}) {
    const ErrorParts parts = refusal_of(text);
    EXPECT_EQ(parts.where, "manifest.json") << text.substr(0, 40);
    EXPECT_EQ(parts.expected, "a JSON document") << text.substr(0, 40);
    EXPECT_LT(parts.got.size(), 500U);
  }
  EXPECT_EQ(refusal_of("[]").expected, "an object");
  EXPECT_EQ(refusal_of("null").got, "null");
}

TEST(Manifest, refuses_a_key_twice) {
  std::string text = example_manifest().dump();
  EXPECT_NE(refusal_of(R"({"a": 1, "b": {"a": 1}, "a": 1})").got.find("'a' twice"),
            std::string::npos);
  text.insert(1, R"("lineage": {"deep": [{"x": 1, "x": 1}]},)");
  EXPECT_EQ(refusal_of(text).got, "'x' twice");
}

TEST(Manifest, refuses_documents_too_deep_or_too_large) {
  const auto nested = [](std::size_t depth, char open, char close) {
    json manifest = example_manifest();
    manifest["lineage"] = 0;
    std::string text = manifest.dump();
    const std::string mark = "\"lineage\":0";
    const std::string inside = std::string(depth, open) + std::string(depth, close);
    return text.replace(text.find(mark), mark.size(), "\"lineage\":" + inside);
  };
  EXPECT_EQ(refusal_of(nested(63, '[', ']')).expected, "");
  EXPECT_EQ(refusal_of(nested(64, '[', ']')).expected, "at most 64 levels of nesting");
  EXPECT_EQ(refusal_of(std::string(99'999, '[')).expected, "at most 64 levels of nesting");
  std::string many = "[0";
  for (int count = 0; count < 1'000'000; ++count) many += ",0";
  EXPECT_EQ(refusal_of(many + "]").expected, "at most 1000000 values");
}

}  // namespace
}  // namespace plait
