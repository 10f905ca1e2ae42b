// test_sound_stream.cpp: chunks of any size give the features of the whole.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "plait/error.hpp"
#include "preprocess/sound_stream.hpp"
#include "sound_cases.hpp"

namespace plait::detail {
namespace {

using testing_support::log_mel_of;
using testing_support::OwnedSound;
using testing_support::part_of;
using testing_support::random_features;
using testing_support::random_sound;

SoundStream stream_of(const ModalityDescription& modality) {
  return SoundStream(
      std::make_unique<SoundRule>(modality.sound, "test.plait", best_sound_kernels()));
}

void read_all(SoundStream& stream, std::vector<float>& rows) {
  const std::size_t before = rows.size();
  rows.resize(before + static_cast<std::size_t>(stream.ready() * stream.bands()));
  stream.read(std::span(rows).subspan(before));
}

/// The window's samples at the encoder's rate, so that nothing is cut or filled up.
std::int64_t outputs_of(const ModalityDescription& modality, std::int64_t frames) {
  const auto in = static_cast<std::int64_t>(modality.sound.sensor_rate_hz);
  const auto out = static_cast<std::int64_t>(modality.sound.rate_hz);
  return (frames * out + in - 1) / in;
}

TEST(SoundStream, ChunkedEqualsOffline) {
  const std::uint32_t seed = std::random_device{}();
  std::mt19937 generator(seed);
  for (int round = 0; round < 150; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    ModalityDescription modality = random_features(generator);
    modality.sound.frames_first = true;
    const std::int64_t frames = 1 + static_cast<std::int64_t>(generator() % 2500);
    const DType dtype = generator() % 2 == 0 ? DType::kInt16 : DType::kFloat32;
    const OwnedSound owned = random_sound(dtype, frames, modality.sound.sensor_channels, generator);
    modality.sound.window = outputs_of(modality, frames);
    const bool any = modality.sound.mel.frames_of(modality.sound.window) > 0;

    // Of single samples, of a few, of many, or of all at once.
    const std::uint32_t most = std::array{1U, 40U, 700U, 5000U}[generator() % 4];
    SoundStream stream = [&] {
      ModalityDescription longer = modality;
      longer.sound.window = 100000;  // a stream has no window
      return stream_of(longer);
    }();
    for (int sound = 0; sound < 2; ++sound) {  // the second after a reset
      std::vector<float> rows;
      for (std::int64_t first = 0; first < frames;) {
        const std::int64_t count =
            std::min<std::int64_t>(most == 1 ? 1 : generator() % (most + 1), frames - first);
        stream.push(part_of(owned.sound, first, count));
        first += count;
        if (generator() % 3 != 0) read_all(stream, rows);
      }
      stream.finish();
      read_all(stream, rows);
      if (any) {
        EXPECT_EQ(rows, testing_support::prepared(modality, owned.sound, best_sound_kernels()));
      } else {
        EXPECT_TRUE(rows.empty());
      }
      stream.reset();
    }
  }
}

TEST(SoundStream, AFrameIsThereAsSoonAsItIsDecided) {
  ModalityDescription modality = log_mel_of(1000);
  modality.sound.mel.edges = SoundEdges::kSnip;
  SoundStream stream = stream_of(modality);
  std::mt19937 generator(1);
  const OwnedSound owned = random_sound(DType::kInt16, 71, 1, generator);
  stream.push(part_of(owned.sound, 0, 49));
  EXPECT_EQ(stream.ready(), 0);
  stream.push(part_of(owned.sound, 49, 1));
  EXPECT_EQ(stream.ready(), 1);
  stream.push(part_of(owned.sound, 50, 19));
  EXPECT_EQ(stream.ready(), 1);
  stream.push(part_of(owned.sound, 69, 2));
  EXPECT_EQ(stream.ready(), 2);
}

TEST(SoundStream, ReadsWholeRowsOldestFirst) {
  std::mt19937 generator(2);
  const ModalityDescription modality = log_mel_of(1000);
  SoundStream stream = stream_of(modality);
  const OwnedSound owned = random_sound(DType::kInt16, 1000, 1, generator);
  stream.push(owned.sound);
  stream.finish();
  ASSERT_EQ(stream.ready(), 51);
  std::vector<float> rows(51 * 7);
  EXPECT_EQ(stream.read(std::span(rows).first(6)), 0);
  EXPECT_EQ(stream.read(std::span(rows).first(20)), 2);
  EXPECT_EQ(stream.read(std::span(rows).subspan(14)), 49);
  EXPECT_EQ(stream.ready(), 0);
  ModalityDescription first = modality;
  first.sound.frames_first = true;
  EXPECT_EQ(rows, testing_support::prepared(first, owned.sound, best_sound_kernels()));
}

TEST(SoundStream, DoesNotAllocateOnceWarm) {
  std::mt19937 generator(3);
  ModalityDescription modality = log_mel_of(1000);
  modality.sound.sensor_rate_hz = 44100.0;
  SoundStream stream = stream_of(modality);
  const OwnedSound owned = random_sound(DType::kInt16, 441, 1, generator);
  std::vector<float> rows(7 * 100);
  const auto push = [&](int chunks) {
    for (int i = 0; i < chunks; ++i) {
      stream.push(owned.sound);
      stream.read(rows);
    }
  };
  push(40);
  const testing_support::AllocationCounter counter;
  push(200);
  EXPECT_EQ(counter.count(), 0U);
}

TEST(SoundStream, RefusesAnotherRateAndBeginsAnew) {
  std::mt19937 generator(4);
  const ModalityDescription modality = log_mel_of(1000);
  SoundStream stream = stream_of(modality);
  OwnedSound owned = random_sound(DType::kInt16, 500, 1, generator);
  stream.push(owned.sound);
  owned.sound.sample_rate_hz = 8000.0;
  EXPECT_THROW(stream.push(owned.sound), SampleError);
  EXPECT_EQ(stream.ready(), 0);
  stream.push(owned.sound);  // a new sound, of the other rate
  stream.finish();
  EXPECT_EQ(stream.ready(), 51);
  EXPECT_THROW(stream.push(owned.sound), ConfigError);
}

TEST(SoundStream, AWaveformHasNoFrames) {
  ModalityDescription modality = log_mel_of(1000);
  modality.sound.features = SoundFeatures::kWaveform;
  EXPECT_THROW(stream_of(modality), ConfigError);
}

}  // namespace
}  // namespace plait::detail
