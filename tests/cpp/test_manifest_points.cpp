// test_manifest_points.cpp: the section of a point cloud is read in full, and its rules are held
// to.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "bundle/manifest.hpp"
#include "bundle_writer.hpp"
#include "manifest_cases.hpp"
#include "plait/error.hpp"

namespace plait {
namespace {

using nlohmann::json;
using testing::points_manifest;
using testing::refused_at;

const std::string kPoints = "/modalities/0/points";

PointsDescription parse(const json& manifest) {
  return detail::parse_manifest(manifest.dump(), "manifest.json").modalities[0].points;
}

json with(const std::string& pointer, const json& value) {
  return testing::changed(points_manifest(), kPoints + pointer, value);
}

json without(const std::string& pointer) {
  return testing::removed(points_manifest(), kPoints + pointer);
}

TEST(ManifestPoints, gives_every_field) {
  const PointsDescription points = parse(points_manifest());
  EXPECT_EQ(points.channels, (std::vector<std::string>{"x", "y", "z", "intensity"}));
  EXPECT_EQ(points.sources, (std::vector<std::int64_t>{2, 1, 0, 4}));
  EXPECT_EQ(points.sensor_channels, 5);
  EXPECT_EQ(points.metres, 0.01);
  EXPECT_EQ(points.extrinsics, (std::vector<double>{0, -1, 0, 1.5, 1, 0, 0, -0.5, 0, 0, 1, 1.75}));
  EXPECT_EQ(points.lower, (std::vector<double>{-54, -54.5, -5}));
  EXPECT_EQ(points.upper, (std::vector<double>{54, 54.5, 3}));
  EXPECT_EQ(points.capacity, 20000);
  EXPECT_EQ(points.overflow, PointsOverflow::kSpread);
  EXPECT_EQ(points.mean, (std::vector<float>{0, 0, 0, 20}));
  EXPECT_EQ(points.std, (std::vector<float>{1, 1, 1, 30}));
}

TEST(ManifestPoints, has_defaults_for_what_may_be_left_out) {
  EXPECT_TRUE(parse(without("/range")).lower.empty());
  EXPECT_TRUE(parse(without("/sensor/extrinsics")).extrinsics.empty());
  EXPECT_EQ(parse(with("/sensor/unit", "m")).metres, 1.0);
  EXPECT_EQ(parse(with("/sensor/unit", "mm")).metres, 0.001);
  EXPECT_EQ(parse(with("/overflow", "first")).overflow, PointsOverflow::kFirst);
  EXPECT_EQ(parse(with("/overflow", "refuse")).overflow, PointsOverflow::kRefuse);
}

TEST(ManifestPoints, refuses_what_is_missing) {
  for (const char* pointer : {"", "/channels", "/capacity", "/overflow", "/mean", "/std", "/sensor",
                              "/sensor/channels", "/sensor/unit", "/range/lower", "/range/upper"}) {
    EXPECT_NE(refused_at(without(pointer)), "") << pointer;
  }
}

TEST(ManifestPoints, refuses_what_makes_no_sense_and_says_where) {
  const std::vector<std::pair<std::string, json>> wrong = {
      {"/channels", {"y", "x", "z", "intensity"}},
      {"/channels", {"x", "y"}},
      {"/channels", {"x", "y", "z", "speed"}},
      {"/channels", {"x", "y", "z", "z"}},
      {"/capacity", 0},
      {"/capacity", 10'000'001},
      {"/capacity", 2.5},
      {"/overflow", "last"},
      {"/mean", {0, 0, 0}},
      {"/std", {1, 1, 1, 0}},
      {"/sensor/unit", "ft"},
      {"/sensor/extrinsics", {{1, 0, 0, 0}, {0, 1, 0, 0}}},
      {"/sensor/extrinsics", {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
      {"/range/lower", {-54, 54.5, -5}},
      {"/range/lower", {-54, -54}},
      {"/range/upper", {54, 54, 1e10}},
  };
  for (const auto& [pointer, value] : wrong) {
    const std::string where = refused_at(with(pointer, value));
    EXPECT_EQ(where.rfind("modalities[0].points", 0), 0U) << pointer << " " << value << where;
  }
  json channels = json::array({"x", "y", "z"});
  for (int i = 0; i < 62; ++i) channels.push_back(std::to_string(i));
  EXPECT_NE(refused_at(with("/sensor/channels", channels)), "");
}

TEST(ManifestPoints, refuses_an_encoder_of_another_shape) {
  json manifest = points_manifest();
  manifest["graphs"][0]["inputs"][0]["shape"] = {"batch", 4, 20000};
  EXPECT_NE(refused_at(manifest), "");
}

}  // namespace
}  // namespace plait
