// test_manifest_sound.cpp: the section of a microphone is read in full, and its rules are held to.
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
using testing::refused_at;
using testing::sound_manifest;

const std::string kSound = "/modalities/0/sound";

SoundDescription parse(const json& manifest) {
  return detail::parse_manifest(manifest.dump(), "manifest.json").modalities[0].sound;
}

json with(const std::string& pointer, const json& value) {
  return testing::changed(sound_manifest(), kSound + pointer, value);
}

json without(const std::string& pointer) {
  return testing::removed(sound_manifest(), kSound + pointer);
}

json waveform() {
  json manifest = sound_manifest();
  json& sound = manifest["modalities"][0]["sound"];
  for (const char* key : {"mel", "layout", "channel"}) sound.erase(key);
  sound["features"] = "waveform";
  sound["mean"] = {0.0};
  sound["std"] = {1.0};
  manifest["graphs"][0]["inputs"][0]["shape"] = {"batch", 16000};
  return manifest;
}

TEST(ManifestSound, gives_every_field) {
  const SoundDescription sound = parse(sound_manifest());
  EXPECT_EQ(sound.sensor_rate_hz, 48000.0);
  EXPECT_EQ(sound.sensor_channels, 2);
  EXPECT_EQ(sound.channel, 1);
  EXPECT_EQ(sound.rate_hz, 16000.0);
  EXPECT_EQ(sound.resampler_zeros, 24);
  EXPECT_EQ(sound.resampler_rolloff, 0.9);
  EXPECT_EQ(sound.resampler_beta, 11.5);
  EXPECT_EQ(sound.window, 16000);
  EXPECT_EQ(sound.shorter, SoundShorter::kRepeat);
  EXPECT_EQ(sound.longer, SoundLonger::kLast);
  EXPECT_EQ(sound.gain, 32768.0F);
  EXPECT_EQ(sound.family, "custom");
  EXPECT_EQ(sound.features, SoundFeatures::kMfcc);
  EXPECT_EQ(sound.mean, (std::vector<float>{-4.0F, 1.0F, 2.0F}));
  EXPECT_EQ(sound.std, (std::vector<float>{4.0F}));
  EXPECT_TRUE(sound.frames_first);
  const MelDescription& mel = sound.mel;
  EXPECT_EQ(mel.length, 400);
  EXPECT_EQ(mel.step, 160);
  EXPECT_EQ(mel.fft, 512);
  EXPECT_EQ(mel.window, SoundWindow::kPovey);
  EXPECT_EQ(mel.edges, SoundEdges::kKaldi);
  EXPECT_TRUE(mel.drop_last);
  EXPECT_TRUE(mel.remove_mean);
  EXPECT_EQ(mel.preemphasis, 0.97F);
  EXPECT_TRUE(mel.magnitude);
  EXPECT_EQ(mel.bins, 23);
  EXPECT_EQ(mel.low_hz, 20.0);
  EXPECT_EQ(mel.high_hz, 7600.0);
  EXPECT_EQ(mel.scale, MelScale::kKaldi);
  EXPECT_TRUE(mel.area_norm);
  EXPECT_EQ(mel.logarithm, SoundLogarithm::kDecibels);
  EXPECT_EQ(mel.floor, 1e-10F);
  EXPECT_EQ(mel.offset, 0.5F);
  EXPECT_TRUE(mel.relative_to_max);
  EXPECT_EQ(mel.range, 80.0F);
  EXPECT_EQ(mel.coefficients, 3);
  EXPECT_EQ(mel.lifter, 22.0F);
  EXPECT_EQ(mel.frames, 120);
  EXPECT_EQ(mel.pad, -1.5F);
}

TEST(ManifestSound, has_defaults_for_what_may_be_left_out) {
  EXPECT_EQ(parse(without("/channel")).channel, -1);
  EXPECT_EQ(parse(without("/mel/pad")).mel.pad, 0.0F);
  json manifest = without("/mel/frames");
  manifest["graphs"][0]["inputs"][0]["shape"] = {"batch", 99, 3};
  EXPECT_EQ(parse(manifest).mel.frames, 0);
  EXPECT_EQ(parse(waveform()).features, SoundFeatures::kWaveform);
  EXPECT_FALSE(parse(waveform()).standardize);
}

TEST(ManifestSound, refuses_what_is_missing) {
  for (const char* pointer : {"",
                              "/sensor",
                              "/sensor/rate_hz",
                              "/sensor/channels",
                              "/rate_hz",
                              "/resampler",
                              "/resampler/zeros",
                              "/resampler/rolloff",
                              "/resampler/beta",
                              "/window",
                              "/shorter",
                              "/longer",
                              "/gain",
                              "/family",
                              "/features",
                              "/mel",
                              "/mel/length",
                              "/mel/step",
                              "/mel/fft",
                              "/mel/window",
                              "/mel/edges",
                              "/mel/drop_last",
                              "/mel/remove_mean",
                              "/mel/preemphasis",
                              "/mel/spectrum",
                              "/mel/bins",
                              "/mel/low_hz",
                              "/mel/high_hz",
                              "/mel/scale",
                              "/mel/norm",
                              "/mel/log",
                              "/mel/log/kind",
                              "/mel/log/floor",
                              "/mel/log/offset",
                              "/mel/log/reference",
                              "/mel/log/range",
                              "/mel/coefficients",
                              "/mel/lifter",
                              "/mean",
                              "/std",
                              "/layout"}) {
    EXPECT_NE(refused_at(without(pointer)), "") << pointer;
  }
}

TEST(ManifestSound, refuses_values_that_make_no_sense) {
  const std::vector<std::pair<std::string, json>> wrong = {
      {"sensor.rate_hz", 0},
      {"sensor.rate_hz", 44100.5},
      {"sensor.rate_hz", 1e7},
      {"sensor.channels", 0},
      {"channel", 2},
      {"channel", -1},
      {"rate_hz", -16000},
      {"resampler.zeros", 0},
      {"resampler.zeros", 513},
      {"resampler.rolloff", 1.01},
      {"resampler.rolloff", 0},
      {"resampler.beta", -1},
      {"window", 0},
      {"window", 10000001},
      {"shorter", "first"},
      {"longer", "zeros"},
      {"gain", 0},
      {"family", ""},
      {"features", "plp"},
      {"mel.fft", 511},
      {"mel.fft", 65538},
      {"mel.fft", 2062},
      {"mel.length", 513},
      {"mel.step", 0},
      {"mel.window", "blackman"},
      {"mel.edges", "wrap"},
      {"mel.drop_last", 1},
      {"mel.preemphasis", 1.1},
      {"mel.spectrum", "log"},
      {"mel.bins", 0},
      {"mel.bins", 4097},
      {"mel.low_hz", -1},
      {"mel.high_hz", 8000.5},
      {"mel.high_hz", 20.0},
      {"mel.scale", "bark"},
      {"mel.norm", "l2"},
      {"mel.log.kind", "log2"},
      {"mel.log.floor", -1},
      {"mel.log.offset", 1e31},
      {"mel.log.reference", 1},
      {"mel.log.range", -80},
      {"mel.coefficients", 24},
      {"mel.lifter", -1},
      {"mel.frames", 98},
      {"mel.pad", "0"},
      {"mean", json::array()},
      {"std", {1.0, 1.0}},
      {"layout", "NCT"},
  };
  for (const auto& [path, value] : wrong) {
    std::string pointer = "/" + path;
    for (char& character : pointer) character = character == '.' ? '/' : character;
    EXPECT_EQ(refused_at(with(pointer, value)).rfind("modalities[0].sound." + path, 0), 0U)
        << path << " " << value << " " << refused_at(with(pointer, value));
  }
}

TEST(ManifestSound, refuses_what_does_not_go_together) {
  json silent = with("/mel/log/floor", 0.0);
  silent["modalities"][0]["sound"]["mel"]["log"]["offset"] = 0.0;
  EXPECT_EQ(refused_at(silent), "modalities[0].sound.mel.log.floor");
  EXPECT_EQ(refused_at(with("/mel/log/kind", "none")), "modalities[0].sound.mel.log.reference");
  json snipped = with("/mel/edges", "snip");
  snipped["modalities"][0]["sound"]["window"] = 399;
  EXPECT_EQ(refused_at(snipped), "modalities[0].sound.mel.length");
  EXPECT_EQ(refused_at(with("/mel/frames", 9000000)), "modalities[0].sound.mel");
  json padded = waveform();
  padded["modalities"][0]["sound"]["shorter"] = "pad";
  EXPECT_EQ(refused_at(padded), "modalities[0].sound.shorter");
}

TEST(ManifestSound, refuses_an_encoder_of_another_shape) {
  for (const json& shape : {json{"batch", 3, 120}, json{"batch", 120, 23}, json{"batch", 360}}) {
    json manifest = sound_manifest();
    manifest["graphs"][0]["inputs"][0]["shape"] = shape;
    EXPECT_NE(refused_at(manifest), "") << shape;
  }
}

}  // namespace
}  // namespace plait
