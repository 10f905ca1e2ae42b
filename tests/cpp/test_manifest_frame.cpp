// test_manifest_frame.cpp: the section of a camera is read in full, and its rules are held to.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bundle/manifest.hpp"
#include "bundle_writer.hpp"
#include "manifest_cases.hpp"
#include "plait/error.hpp"

namespace plait {
namespace {

using nlohmann::json;
using testing::frame_manifest;
using testing::refused_at;

const std::string kFrame = "/modalities/0/frame";

FrameDescription parse(const json& manifest) {
  return detail::parse_manifest(manifest.dump(), "manifest.json").modalities[0].frame;
}

json with(const std::string& pointer, const json& value) {
  return testing::changed(frame_manifest(), kFrame + pointer, value);
}

json without(const std::string& pointer) {
  return testing::removed(frame_manifest(), kFrame + pointer);
}

TEST(ManifestFrame, gives_every_field) {
  const Manifest manifest = detail::parse_manifest(frame_manifest().dump(), "manifest.json");
  EXPECT_EQ(manifest.modalities[0].kind, "frame");
  const FrameDescription& frame = manifest.modalities[0].frame;
  EXPECT_EQ(frame.sensor_format, PixelFormat::kNV12);
  EXPECT_EQ(frame.matrix, YuvMatrix::kBt601);
  EXPECT_EQ(frame.range, YuvRange::kFull);
  EXPECT_EQ(frame.channels, FrameChannels::kBGR);
  EXPECT_EQ(frame.fit, FrameFit::kShortest);
  EXPECT_EQ(frame.height, 41);
  EXPECT_EQ(frame.width, 41);
  EXPECT_EQ(frame.crop_height, 37);
  EXPECT_EQ(frame.crop_width, 29);
  EXPECT_EQ(frame.crop_rounding, CropRounding::kHalfEven);
  EXPECT_EQ(frame.pad, 7.5F);
  EXPECT_EQ(frame.filter, FrameFilter::kLanczos);
  EXPECT_TRUE(frame.antialias);
  EXPECT_EQ(frame.arithmetic, FrameArithmetic::kExact);
  EXPECT_EQ(frame.scale, 1.0F / 255.0F);
  EXPECT_EQ(frame.mean, (std::vector<float>{0.485F, 0.456F, 0.406F}));
  EXPECT_EQ(frame.std, (std::vector<float>{0.229F, 0.224F, 0.225F}));
  EXPECT_EQ(frame.layout, FrameLayout::kNHWC);
}

TEST(ManifestFrame, names_every_format_as_the_samples_do) {
  for (const char* name :
       {"nv12", "nv21", "i420", "yuyv", "uyvy", "rgb8", "bgr8", "rgba8", "bgra8", "gray8"}) {
    EXPECT_EQ(parse(with("/sensor/format", name)).sensor_format, pixel_format_named(name));
  }
}

TEST(ManifestFrame, has_defaults_for_what_may_be_left_out) {
  json manifest = without("/crop");
  manifest["modalities"][0]["frame"]["resize"] = {
      {"fit", "letterbox"}, {"size", {37, 29}}, {"filter", "box"}, {"antialias", true}};
  const FrameDescription frame = parse(manifest);
  EXPECT_EQ(frame.pad, 0.0F);
  EXPECT_EQ(frame.crop_height, 0);
  EXPECT_EQ(frame.crop_width, 0);
}

TEST(ManifestFrame, refuses_what_is_missing) {
  for (const char* pointer :
       {"", "/channels", "/sensor", "/sensor/format", "/sensor/matrix", "/sensor/range", "/resize",
        "/resize/fit", "/resize/size", "/resize/filter", "/resize/antialias", "/crop", "/crop/size",
        "/crop/rounding", "/arithmetic", "/scale", "/mean", "/std", "/layout"}) {
    EXPECT_NE(refused_at(without(pointer)), "") << pointer;
  }
}

TEST(ManifestFrame, refuses_values_that_make_no_sense) {
  const std::string frame = "modalities[0].frame.";
  const std::vector<std::pair<std::string, json>> wrong = {
      {"channels", "YUV"},
      {"sensor.format", "nv16"},
      {"sensor.matrix", "bt470"},
      {"sensor.range", "tv"},
      {"resize.fit", "longest"},
      {"resize.size", {41, 42}},
      {"resize.size", {41}},
      {"resize.size", 41},
      {"resize.filter", "area"},
      {"resize.antialias", 1},
      {"resize.pad", -1},
      {"resize.pad", 65536},
      {"crop.size", {42, 29}},
      {"crop.size", {37, 42}},
      {"crop.rounding", "up"},
      {"arithmetic", "float"},
      {"scale", 0},
      {"scale", -0.1},
      {"mean", {0.0}},
      {"std", {1.0, 1.0}},
      {"layout", "NCT"},
  };
  for (const auto& [path, value] : wrong) {
    std::string pointer = "/" + path;
    for (char& character : pointer) character = character == '.' ? '/' : character;
    EXPECT_EQ(refused_at(with(pointer, value)), frame + path) << value;
  }
  EXPECT_EQ(refused_at(with("/resize/size", {0, 0})), frame + "resize.size[0]");
  EXPECT_EQ(refused_at(with("/resize/size", {16384, 16385})), frame + "resize.size[1]");
  EXPECT_EQ(refused_at(with("/resize/size", {16384, 16384})), frame + "resize.size");
  EXPECT_EQ(refused_at(with("/std/1", 0.0)), frame + "std[1]");
  EXPECT_EQ(refused_at(with("/mean/0", "0")), frame + "mean[0]");
}

TEST(ManifestFrame, refuses_what_does_not_go_together) {
  json letterbox = with("/resize/fit", "letterbox");
  EXPECT_EQ(refused_at(letterbox), "modalities[0].frame.crop");
  EXPECT_EQ(refused_at(with("/resize/antialias", false)), "modalities[0].frame.arithmetic");
  EXPECT_EQ(refused_at(with("/channels", "DEPTH")), "modalities[0].frame.channels");
  EXPECT_EQ(refused_at(with("/sensor/format", "gray16")), "modalities[0].frame.channels");
  json nearest = with("/resize/antialias", false);
  nearest["modalities"][0]["frame"]["resize"]["filter"] = "nearest";
  EXPECT_EQ(refused_at(nearest), "");
}

TEST(ManifestFrame, takes_an_element_type_that_holds_the_values) {
  EXPECT_EQ(parse(frame_manifest()).dtype, DType::kFloat32);
  json manifest = with("/dtype", "float16");
  EXPECT_EQ(refused_at(manifest), "modalities[0].encoder, graph 'wrist_encoder', input 'sample'");
  manifest["graphs"][0]["inputs"][0]["dtype"] = "float16";
  EXPECT_EQ(parse(manifest).dtype, DType::kFloat16);
  manifest["modalities"][0]["frame"]["scale"] = 1000.0;
  EXPECT_EQ(refused_at(manifest), "modalities[0].frame.dtype");
  EXPECT_EQ(refused_at(with("/dtype", "float64")), "modalities[0].frame.dtype");

  manifest["graphs"][0]["inputs"][0]["dtype"] = "uint8";
  json& frame = manifest["modalities"][0]["frame"];
  frame["dtype"] = "uint8";
  EXPECT_EQ(refused_at(manifest), "modalities[0].frame.dtype");
  frame["scale"] = 1;
  frame["mean"] = {0, 0, 0};
  EXPECT_EQ(refused_at(manifest), "modalities[0].frame.dtype");
  frame["std"] = {1, 1, 1};
  EXPECT_EQ(parse(manifest).dtype, DType::kUInt8);
}

TEST(ManifestFrame, refuses_an_encoder_of_another_shape) {
  for (const json& shape : {json{"batch", 3, 37, 29}, json{"batch", 29, 37, 3},
                            json{"batch", 37, 29, 1}, json{"batch", 37, 29}}) {
    json manifest = frame_manifest();
    manifest["graphs"][0]["inputs"][0]["shape"] = shape;
    EXPECT_NE(refused_at(manifest), "") << shape;
  }
  json manifest = with("/layout", "NCHW");
  manifest["graphs"][0]["inputs"][0]["shape"] = {"batch", 3, 37, 29};
  EXPECT_EQ(refused_at(manifest), "");
}

TEST(ManifestFrame, needs_the_section_of_its_kind) {
  json manifest = frame_manifest();
  manifest["modalities"][0]["kind"] = "signal";
  EXPECT_EQ(refused_at(manifest), "modalities[0]");
  manifest["modalities"][0]["kind"] = "smell";
  EXPECT_EQ(refused_at(manifest), "modalities[0].kind");
}

}  // namespace
}  // namespace plait
