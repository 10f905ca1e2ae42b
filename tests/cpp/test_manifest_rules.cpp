// test_manifest_rules.cpp: every rule of docs/bundle.md is held to, and its breach located.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
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

/// One change of the example and where the refusal must point.
struct Wrong {
  std::string pointer;
  json value;
  std::string where;
};

void expect_refused(const std::vector<Wrong>& list) {
  for (const Wrong& wrong : list) {
    const ErrorParts parts = refusal_of(with(wrong.pointer, wrong.value).dump());
    EXPECT_EQ(parts.where, "manifest.json, " + wrong.where)
        << wrong.pointer << " = " << wrong.value << ": " << parts.expected << ", " << parts.got;
    EXPECT_NE(parts.action, "");
  }
}

TEST(ManifestRules, refuses_a_wrong_format_or_version) {
  expect_refused({
      {"/format", "other-bundle", "format"},
      {"/format", 1, "format"},
      {"/format_version/major", 0, "format_version.major"},
      {"/format_version/major", 1.0, "format_version.major"},
      {"/format_version/major", "1", "format_version.major"},
      {"/format_version/major", 2, "format_version"},
      {"/format_version/major", 18446744073709551615U, "format_version.major"},
      {"/format_version/minor", -1, "format_version.minor"},
  });
}

TEST(ManifestRules, refuses_every_missing_required_field) {
  const json example = example_manifest();
  const std::vector<std::string> optional = {
      "description", "created", "lineage",   "gate",           "quality",    "golden",
      "labels",      "units",   "median_us", "rate_tolerance", "max_gap_ms", "precisions"};
  std::size_t removed = 0;
  const std::function<void(const json&, const std::string&)> visit = [&](const json& value,
                                                                         const std::string& path) {
    const bool keys_are_names = path.ends_with("/members") || path.ends_with("/stages") ||
                                path.ends_with("/precisions") || path.ends_with("/tolerance") ||
                                path.find("/int8") != std::string::npos;
    for (const auto& [key, child] : value.items()) {
      if (path.empty() && (key == "lineage" || key == "gate" || key == "members")) continue;
      std::string pointer = path;
      pointer.append("/").append(key);
      const bool is_optional = std::find(optional.begin(), optional.end(), key) != optional.end();
      if (value.is_object() && !keys_are_names && !is_optional) {
        ++removed;
        const ErrorParts parts = refusal_of(without(pointer).dump());
        EXPECT_EQ(parts.expected, "a field '" + key + "'") << pointer;
      }
      if (child.is_structured() && !keys_are_names) visit(child, pointer);
    }
  };
  visit(example, "");
  EXPECT_GT(removed, 100U);
}

TEST(ManifestRules, refuses_names_that_are_none) {
  for (const std::string name : {"", "Wrist", "1st", "left-wrist", "a.b", "../x", "ünder", "_a"}) {
    expect_refused({{"/modalities/0/name", name, "modalities[0].name"},
                    {"/graphs/1/name", name, "graphs[1].name"},
                    {"/heads/2/name", name, "heads[2].name"},
                    {"/variants/0/precision", name, "variants[0].precision"}});
  }
  expect_refused({
      {"/name", "", "name"},
      {"/name", "new\nline", "name"},
      {"/name", std::string(257, 'n'), "name"},
      {"/modalities/0/name", std::string(65, 'n'), "modalities[0].name"},
      {"/modalities/0/name", "presence", "modalities[0].name"},
      {"/heads/0/name", "prepare", "heads[0].name"},
      {"/heads/0/name", "encode", "heads[0].name"},
      {"/modalities/1/name", "wrist", "modalities[1]"},
      {"/graphs/1/name", "wrist_encoder", "graphs[1]"},
      {"/heads/1/name", "exercise", "heads[1]"},
      {"/variants/1/precision", "fp32", "variants[1]"},
  });
}

TEST(ManifestRules, refuses_signals_that_make_no_sense) {
  const std::string signal = "/modalities/0/signal/";
  const std::string where = "modalities[0].signal.";
  const json many(4097, 1.0);
  std::vector<Wrong> list = {
      {signal + "channels", json::array(), where + "channels"},
      {signal + "channels", {"x", "y", "w"}, where + "channels"},
      {signal + "channels", {"x", "x", "y"}, where + "channels[1]"},
      {signal + "channels", {"-x", "y", "z"}, where + "channels"},
      {signal + "channels/1", 1, where + "channels[1]"},
      {signal + "sensor/channels", {"x", "-x", "y", "z"}, where + "sensor.channels"},
      {signal + "sensor/channels", {"--x", "y", "z"}, where + "sensor.channels"},
      {signal + "sensor/channels", {"-", "x", "y", "z"}, where + "sensor.channels"},
      {signal + "sensor/channels", many, where + "sensor.channels"},
      {signal + "sensor", 1, where + "sensor"},
      {signal + "unit", "", where + "unit"},
      {signal + "sensor/rates_hz", json::array(), where + "sensor.rates_hz"},
      {signal + "sensor/rates_hz", {50, 0}, where + "sensor.rates_hz[1]"},
      {signal + "sensor/rates_hz", {50, 1e6}, where + "sensor.rates_hz[1]"},
      {signal + "sensor/antialias", "yes", where + "sensor.antialias"},
      {signal + "sensor/calibration", json::object(), where + "sensor.calibration"},
      {signal + "normalization", "batch", where + "normalization"},
      {signal + "epsilon", 0, where + "epsilon"},
      {signal + "momentum", 1.5, where + "momentum"},
      {signal + "window", 0, where + "window"},
      {signal + "window", -5, where + "window"},
      {signal + "window", 10'000'001, where + "window"},
      {signal + "window", 100.0, where + "window"},
      {signal + "layout", "CNT", where + "layout"},
      {signal + "mean", {1, 2}, where + "mean"},
      {signal + "mean/1", "0", where + "mean[1]"},
      {signal + "mean/1", 1e39, where + "mean[1]"},
      {signal + "mean", nullptr, where + "mean"},
      {signal + "std", {1, 2, 3, 4}, where + "std"},
      {signal + "std/2", true, where + "std[2]"},
  };
  for (const double value : {0.0, -1.0, 1e-39}) {
    list.push_back({signal + "std", {1.0, value, 1.0}, where + "std[1]"});
  }
  for (const json& value : {json(0), json(-1), json(1e13), json("1"), json(nullptr)}) {
    list.push_back({signal + "rate_hz", value, where + "rate_hz"});
    list.push_back({signal + "max_gap_ms", value, where + "max_gap_ms"});
    list.push_back({"/modalities/0/max_age_ms", value, "modalities[0].max_age_ms"});
  }
  for (const json& value : {json(-0.1), json(1.5), json("x")}) {
    list.push_back({signal + "rate_tolerance", value, where + "rate_tolerance"});
  }
  expect_refused(list);
}

TEST(ManifestRules, refuses_modalities_that_do_not_fit_their_encoder) {
  const std::string input = ", graph 'wrist_encoder', input 'sample'";
  expect_refused({
      {"/modalities/0/encoder", "nothing", "modalities[0].encoder"},
      {"/modalities/0/encoder", "exercise_head", "modalities[0].encoder"},
      {"/modalities/0/encoder", "chest_encoder",
       "modalities[0].encoder, graph 'chest_encoder', input 'sample'"},
      {"/modalities/0/signal/window", 101, "modalities[0].encoder" + input},
      {"/modalities/0/signal/layout", "NTC", "modalities[0].encoder" + input},
      {"/graphs/0/inputs/0/shape", {"batch", 3, 99}, "modalities[0].encoder" + input},
      {"/graphs/0/inputs/0/shape", {"batch", 300}, "modalities[0].encoder" + input},
      {"/modalities/0/kind", "smell", "modalities[0].kind"},
      {"/modalities/0/when_missing", "guess", "modalities[0].when_missing"},
      {"/modalities", json::array(), "modalities"},
      {"/modalities", json(11, example_manifest()["modalities"][0]), "modalities"},
  });
}

TEST(ManifestRules, refuses_graphs_with_other_inputs_outputs_or_shapes) {
  const json sample = example_manifest()["graphs"][0]["inputs"][0];
  expect_refused({
      {"/graphs/0/role", "decoder", "graphs[0].role"},
      {"/graphs/0/inputs/0/name", "x", "graphs[0].inputs[0].name"},
      {"/graphs/0/inputs/-", sample, "graphs[0].inputs"},
      {"/graphs/0/inputs", json::array(), "graphs[0].inputs"},
      {"/graphs/0/outputs", json::array(), "graphs[0].outputs"},
      {"/graphs/0/outputs/0/name", "x", "graphs[0].outputs[0].name"},
      {"/graphs/0/inputs/0/dtype", "float64", "graphs[0].inputs[0].dtype"},
      {"/graphs/0/inputs/0/dtype", "float16",
       "modalities[0].encoder, graph 'wrist_encoder', input 'sample'"},
      {"/graphs/0/outputs/0/dtype", "float16", "graphs[0].outputs[0]"},
      {"/graphs/2/inputs/0/dtype", "uint8", "graphs[2].inputs"},
      {"/graphs/0/inputs/0/shape/0", 1, "graphs[0].inputs[0].shape[0]"},
      {"/graphs/0/inputs/0/shape/0", "time", "graphs[0].inputs[0].shape[0]"},
      {"/graphs/0/inputs/0/shape/1", "batch", "graphs[0].inputs[0].shape[1]"},
      {"/graphs/0/inputs/0/shape", {"batch", 0, 100}, "graphs[0].inputs[0].shape[1]"},
      {"/graphs/0/inputs/0/shape", {"batch", -3, 100}, "graphs[0].inputs[0].shape[1]"},
      {"/graphs/0/inputs/0/shape", {"batch"}, "graphs[0].inputs[0].shape"},
      {"/graphs/0/inputs/0/shape", {"batch", 1, 1, 1, 1, 1, 1, 1, 1}, "graphs[0].inputs[0].shape"},
      {"/graphs/0/outputs/0/shape", {"batch", 100'000'001}, "graphs[0].outputs[0].shape[1]"},
      {"/graphs/0/outputs/0/shape", {"batch", 10001, 10000}, "graphs[0].outputs[0].shape"},
      {"/graphs/2/inputs", {sample}, "graphs[2].inputs"},
      {"/graphs/2/inputs/2/name", "mask", "graphs[2].inputs[2].name"},
      {"/graphs/2/inputs/2/shape", {"batch", 3}, "graphs[2].inputs[2].shape"},
      {"/graphs/2/inputs/0/name", "ankle", "graphs[2].inputs[0].name"},
      {"/graphs", json::array(), "graphs"},
  });
}

TEST(ManifestRules, refuses_heads_that_do_not_fit_their_graph) {
  expect_refused({
      {"/heads/0/graph", "nothing", "heads[0].graph"},
      {"/heads/0/graph", "wrist_encoder", "heads[0].graph"},
      {"/heads/0/kind", "detection", "heads[0].kind"},
      {"/heads/0/kind", "regression", "heads[0], graph 'exercise_head', output"},
      {"/heads/2/kind", "classification", "heads[2], graph 'place_head', output"},
      {"/heads/0/modalities", json::array(), "heads[0].modalities"},
      {"/heads/0/modalities", {"wrist"}, "heads[0].modalities"},
      {"/heads/0/modalities", {"chest", "wrist"}, "heads[0].modalities[0]"},
      {"/heads/0/modalities", {"wrist", "wrist"}, "heads[0].modalities[1]"},
      {"/graphs/0/outputs/0/shape",
       {"batch", 63},
       "heads[0].modalities[0], graph 'exercise_head', input 'wrist'"},
      {"/graphs/1/outputs/0/shape",
       {"batch", 80},
       "heads[0].modalities[1], graph 'exercise_head', input 'chest'"},
      {"/heads/0/labels",
       {"press", "row"},
       "heads[0], graph 'exercise_head', output (one per label)"},
      {"/graphs/2/outputs/0/shape",
       {"batch", 3, 1},
       "heads[0], graph 'exercise_head', output (one per label)"},
      {"/heads/0/labels", json::array(), "heads[0].labels"},
      {"/heads/0/labels/1", "", "heads[0].labels[1]"},
      {"/heads/0/units", {"a", "b", "c"}, "heads[0].units"},
      {"/heads/1/units", json::array(), "heads[1].units"},
      {"/heads/2/labels", {"here"}, "heads[2].labels"},
      {"/heads", json::array(), "heads"},
  });
}

TEST(ManifestRules, refuses_spaces_that_make_no_sense) {
  const json space = {
      {"name", "room"}, {"normalized", true}, {"logit_scale", 4.6}, {"logit_bias", -1.0}};
  const auto with = [&](const char* key, const json& value) {
    json changed = space;
    changed[key] = value;
    return changed;
  };
  json nameless = space;
  nameless.erase("name");
  expect_refused({
      {"/heads/0/space", space, "heads[0].space"},
      {"/heads/2/space", nameless, "heads[2].space"},
      {"/heads/2/space", with("name", "A room"), "heads[2].space.name"},
      {"/heads/2/space", with("normalized", 1), "heads[2].space.normalized"},
      {"/heads/2/space", with("logit_scale", 0), "heads[2].space.logit_scale"},
      {"/heads/2/space", with("logit_bias", 1e7), "heads[2].space.logit_bias"},
  });
}

TEST(ManifestRules, takes_heads_of_one_space_only_where_their_sizes_are_equal) {
  json manifest = example_manifest();
  json& head = manifest["heads"][2];
  head["space"] = {
      {"name", "room"}, {"normalized", false}, {"logit_scale", 1.0}, {"logit_bias", 0.0}};
  const auto of_head = [&](const json& graph) { return graph["name"] == head["graph"]; };
  json graph = *std::find_if(manifest["graphs"].begin(), manifest["graphs"].end(), of_head);
  json other = head;
  other["name"] = "elsewhere";
  other["graph"] = graph["name"] = "elsewhere_head";
  for (json& variant : manifest["variants"]) {
    variant["members"]["elsewhere_head"] = variant["members"][head["graph"].get<std::string>()];
  }
  manifest["heads"].push_back(other);
  manifest["graphs"].push_back(graph);
  EXPECT_EQ(testing::refused_at(manifest), "");
  auto& size = manifest["graphs"].back()["outputs"][0]["shape"].back();
  size = size.get<int>() + 1;
  EXPECT_EQ(testing::refused_at(manifest), "heads[2].space, which head 'elsewhere' shares");
}

TEST(ManifestRules, refuses_variants_that_lack_or_invent) {
  expect_refused({
      {"/variants", json::array(), "variants"},
      {"/variants/0/form", "magic", "variants[0].form"},
      {"/variants/0/members", json::object(), "variants[0].members"},
      {"/variants/0/members/other", "graphs/wrist_encoder.int8.onnx",
       "variants[0].members['other']"},
      {"/variants/0/members/wrist_encoder", "graphs/none.onnx",
       "variants[0].members['wrist_encoder']"},
      {"/variants/0/members/wrist_encoder", 3, "variants[0].members['wrist_encoder']"},
      {"/default_precision", "fp16", "default_precision"},
  });
}

TEST(ManifestRules, refuses_quality_and_golden_that_refer_to_nothing) {
  const json row = example_manifest()["quality"][0];
  const std::string golden = "/golden/cases/0/";
  expect_refused({
      {"/quality/0/head", "nothing", "quality[0].head"},
      {"/quality/0/precision", "fp16", "quality[0].precision"},
      {"/quality/0/presence", json::array(), "quality[0].presence"},
      {"/quality/0/presence", {"ankle"}, "quality[0].presence"},
      {"/quality/0/presence", {"chest", "wrist"}, "quality[0].presence"},
      {"/quality/0/presence", {"wrist", "wrist"}, "quality[0].presence"},
      {"/quality/0/value", "good", "quality[0].value"},
      {"/quality/0/samples", -1, "quality[0].samples"},
      {"/quality/-", row, "quality[2]"},
      {golden + "presence", {"chest", "wrist"}, "golden.cases[0].presence"},
      {golden + "stages/sample:ankle", "golden/0/sample.wrist.npy",
       "golden.cases[0].stages['sample:ankle']"},
      {golden + "stages/fuse:wrist", "golden/0/sample.wrist.npy",
       "golden.cases[0].stages['fuse:wrist']"},
      {golden + "stages/sample", "golden/0/sample.wrist.npy", "golden.cases[0].stages['sample']"},
      {golden + "stages/sample:wrist", "golden/1/x.npy", "golden.cases[0].stages['sample:wrist']"},
      {golden + "precisions/fp16", json::object(), "golden.cases[0].precisions['fp16']"},
      {golden + "precisions/int8",
       {{"encode:wrist", "none.npy"}},
       "golden.cases[0].precisions['int8']['encode:wrist']"},
      {"/golden/cases/-", example_manifest()["golden"]["cases"][0], "golden.cases[1].name"},
      {"/golden/tolerance/prepare", -1e-5, "golden.tolerance['prepare']"},
  });
}

TEST(ManifestRules, refuses_members_that_are_not_well_formed) {
  const json hash = {{"sha256", std::string(64, 'a')}, {"bytes", 1}};
  for (const std::string name : {"manifest.json", "../x", "/abs", "a//b", "nul\x01"}) {
    json manifest = example_manifest();
    manifest["members"][name] = hash;
    EXPECT_NE(refusal_of(manifest.dump()).where.find("members['"), std::string::npos) << name;
  }
  const std::string member = "members['golden/0/fuse.exercise.npy']";
  const std::string pointer = "/members/golden~10~1fuse.exercise.npy/";
  expect_refused({
      {pointer + "sha256", std::string(63, 'a'), member + ".sha256"},
      {pointer + "sha256", std::string(64, 'A'), member + ".sha256"},
      {pointer + "sha256", std::string(65, 'a'), member + ".sha256"},
      {pointer + "bytes", -1, member + ".bytes"},
      {pointer + "bytes", 1.5, member + ".bytes"},
  });
}

}  // namespace
}  // namespace plait
