// test_sound.cpp: sounds against float64, every target against the plain loops, bad input.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "plait/error.hpp"
#include "preprocess/sound.hpp"
#include "sound_cases.hpp"

namespace plait::detail {
namespace {

using testing_support::log_mel_of;
using testing_support::OwnedSound;
using testing_support::part_of;
using testing_support::prepared;
using testing_support::random_features;
using testing_support::random_sound;

class SoundTest : public testing::Test {
 protected:
  void SetUp() override {
    seed_ = std::random_device{}();
    generator_.seed(seed_);
  }

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator_);
  }
  DType any_type() { return between(0, 1) == 0 ? DType::kInt16 : DType::kFloat32; }

  std::uint32_t seed_ = 0;
  std::mt19937 generator_;
};

/// The refusal's four parts; the test fails where there is none.
ErrorParts refusal_of(const ModalityDescription& modality, const Sound& sound) {
  try {
    prepared(modality, sound, best_sound_kernels());
  } catch (const SampleError& error) {
    EXPECT_NE(error.parts().expected, "");
    EXPECT_NE(error.parts().got, "");
    EXPECT_NE(error.parts().action, "");
    return error.parts();
  }
  ADD_FAILURE() << "taken";
  return {};
}

TEST_F(SoundTest, EveryTargetGivesTheBitsOfThePlainLoops) {
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    const ModalityDescription modality = random_features(generator_);
    const OwnedSound owned =
        random_sound(any_type(), between(1000, 2500), modality.sound.sensor_channels, generator_);
    if (modality.sound.mel.frames_of(modality.sound.window) < 1) continue;
    const auto expected = prepared(modality, owned.sound, scalar_sound_kernels());
    for (const SoundKernels* kernels : sound_kernels()) {
      EXPECT_EQ(prepared(modality, owned.sound, *kernels), expected) << kernels->name;
    }
  }
}

TEST_F(SoundTest, LogMelIsItsDefinition) {
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    ModalityDescription modality = random_features(generator_);
    SoundDescription& sound = modality.sound;
    sound.features = SoundFeatures::kLogMel;
    sound.sensor_rate_hz = sound.rate_hz;
    sound.frames_first = true;
    if (sound.mel.frames_of(sound.window) < 1) continue;
    const OwnedSound owned =
        random_sound(any_type(), sound.window, sound.sensor_channels, generator_);
    const auto found = prepared(modality, owned.sound, best_sound_kernels());
    const auto expected =
        testing_support::log_mel(sound, testing_support::mixed(sound, owned.sound));
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double value = (expected[i] - sound.mean[0]) / sound.std[0];
      ASSERT_NEAR(found[i], value, 2e-6 * std::max(1.0, std::abs(value))) << i;
    }
  }
}

TEST_F(SoundTest, ResamplingIsItsDefinition) {
  for (int round = 0; round < 25; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    ModalityDescription modality = log_mel_of(100000);
    SoundDescription& sound = modality.sound;
    sound.features = SoundFeatures::kWaveform;
    sound.shorter = SoundShorter::kZeros;
    sound.rate_hz = static_cast<double>(between(1, 60) * 400);
    sound.resampler_zeros = between(1, 20);
    sound.resampler_beta = static_cast<double>(between(0, 14));
    OwnedSound owned = random_sound(any_type(), between(1, 400), 1, generator_);
    owned.sound.sample_rate_hz = static_cast<double>(between(3, 120) * 400);
    const auto found = prepared(modality, owned.sound, best_sound_kernels());
    std::vector<double> expected = testing_support::mixed(sound, owned.sound);
    if (owned.sound.sample_rate_hz != sound.rate_hz) {  // else it is left as it is
      expected = testing_support::resampled(sound, expected,
                                            static_cast<std::int64_t>(owned.sound.sample_rate_hz));
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_NEAR(found[i], i < expected.size() ? expected[i] : 0.0, 1e-7) << i;
    }
  }
}

TEST_F(SoundTest, TheLastPartOfAResampledSoundIsTheWholesLast) {
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    ModalityDescription whole = log_mel_of(between(900, 1100));
    whole.sound.features = SoundFeatures::kWaveform;
    whole.sound.sensor_rate_hz = static_cast<double>(between(10, 120) * 400);
    whole.sound.shorter = SoundShorter::kZeros;
    whole.sound.longer = SoundLonger::kFirst;
    whole.sound.window = 9000;
    const OwnedSound owned = random_sound(any_type(), between(700, 2000), 1, generator_);
    const auto all = prepared(whole, owned.sound, best_sound_kernels());
    const auto rate = static_cast<std::int64_t>(whole.sound.sensor_rate_hz);
    const std::int64_t count =
        std::min<std::int64_t>((owned.sound.values.shape[0] * 16000 + rate - 1) / rate, 9000);
    ModalityDescription last = whole;
    last.sound.window = std::max<std::int64_t>(count / 3, 1);
    last.sound.longer = SoundLonger::kLast;
    if (count == 9000) continue;
    const std::vector<float> expected(all.begin() + count - last.sound.window, all.begin() + count);
    EXPECT_EQ(prepared(last, owned.sound, best_sound_kernels()), expected);
  }
}

TEST_F(SoundTest, SilenceBehindAShortSoundIsAsIfItHadBeenRecorded) {
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    ModalityDescription modality = random_features(generator_);
    modality.sound.sensor_rate_hz = modality.sound.rate_hz;
    modality.sound.shorter = SoundShorter::kZeros;
    if (modality.sound.mel.frames_of(modality.sound.window) < 1) continue;
    const std::int64_t channels = modality.sound.sensor_channels;
    const std::int64_t window = modality.sound.window;
    OwnedSound owned = random_sound(DType::kInt16, window, channels, generator_);
    const std::int64_t count = between(1, window - 1);
    auto* values = reinterpret_cast<std::int16_t*>(owned.memory.data());
    for (std::int64_t f = count; f < window; ++f) {
      for (std::int64_t c = 0; c < channels; ++c) {
        values[(f * owned.sound.values.strides[0] + c * owned.sound.values.strides[1]) / 2] = 0;
      }
    }
    EXPECT_EQ(prepared(modality, part_of(owned.sound, 0, count), best_sound_kernels()),
              prepared(modality, owned.sound, best_sound_kernels()));
  }
}

TEST_F(SoundTest, RangeAndReferenceAreTheWindows) {
  ModalityDescription modality = log_mel_of(900);
  const OwnedSound owned = random_sound(DType::kFloat32, 900, 1, generator_);
  auto expected = prepared(modality, owned.sound, best_sound_kernels());
  modality.sound.mel.range = 3.0F;
  modality.sound.mel.relative_to_max = true;
  const float largest = *std::max_element(expected.begin(), expected.end());
  for (float& value : expected) value = std::max(value - largest, -3.0F);
  EXPECT_EQ(prepared(modality, owned.sound, best_sound_kernels()), expected) << "seed " << seed_;
}

TEST_F(SoundTest, MissingFramesArePadded) {
  ModalityDescription modality = log_mel_of(900);
  modality.sound.mel.edges = SoundEdges::kSnip;
  modality.sound.mel.frames = 60;
  modality.sound.mel.pad = -4.0F;
  modality.sound.mean = {2.0F};
  modality.sound.std = {3.0F};
  modality.sound.shorter = SoundShorter::kPad;
  modality.sound.frames_first = true;
  const OwnedSound owned = random_sound(DType::kFloat32, 171, 1, generator_);
  const auto found = prepared(modality, owned.sound, best_sound_kernels());
  ASSERT_EQ(found.size(), 60U * 7U);
  EXPECT_NE(found[6 * 7 + 6], -2.0F);
  for (std::size_t i = 7 * 7; i < found.size(); ++i) EXPECT_FLOAT_EQ(found[i], -2.0F) << i;
}

TEST_F(SoundTest, AWaveformIsStandardizedOverItsWindow) {
  ModalityDescription modality = log_mel_of(777);
  modality.sound.features = SoundFeatures::kWaveform;
  modality.sound.standardize = true;
  const OwnedSound owned = random_sound(DType::kInt16, 777, 1, generator_);
  const auto found = prepared(modality, owned.sound, best_sound_kernels());
  double sum = 0.0;
  double squares = 0.0;
  for (const float value : found) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  EXPECT_NEAR(sum / 777, 0.0, 1e-6);
  EXPECT_NEAR(squares / 777, 1.0, 1e-4);
}

TEST_F(SoundTest, DoesNotAllocateOnceWarm) {
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    const ModalityDescription modality = random_features(generator_);
    if (modality.sound.mel.frames_of(modality.sound.window) < 1) continue;
    const auto preprocessor = make_sound_preprocessor(modality, "test");
    const auto scratch = preprocessor->make_scratch();
    Tensor out(DType::kFloat32, preprocessor->input_shape());
    OwnedSound owned = random_sound(any_type(), 2500, modality.sound.sensor_channels, generator_);
    if (round % 2 == 0) owned.sound.sample_rate_hz = 22050.0;
    const Sample sample = owned.sound;
    preprocessor->prepare(sample, *scratch, out.view());
    const testing_support::AllocationCounter counter;
    preprocessor->prepare(sample, *scratch, out.view());
    EXPECT_EQ(counter.count(), 0U);
  }
}

TEST_F(SoundTest, RatesComeAndGoInOneScratch) {
  ModalityDescription modality = log_mel_of(400);
  modality.sound.shorter = SoundShorter::kZeros;
  modality.sound.longer = SoundLonger::kFirst;
  const auto preprocessor = make_sound_preprocessor(modality, "test");
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  OwnedSound owned = random_sound(DType::kFloat32, 900, 1, generator_);
  for (const double rate : {8000.0, 44100.0, 1000.0, 384000.0, 11025.0, 16000.0, 8000.0, 0.0}) {
    owned.sound.sample_rate_hz = rate;
    preprocessor->prepare(owned.sound, *scratch, out.view());
    const auto span = out.view().as_span<float>();
    EXPECT_EQ(std::vector<float>(span.begin(), span.end()),
              prepared(modality, owned.sound, best_sound_kernels()))
        << rate;
  }
}

TEST_F(SoundTest, RefusesWhatIsNoSound) {
  const ModalityDescription modality = log_mel_of(300);
  const OwnedSound owned = random_sound(DType::kFloat32, 300, 1, generator_);
  Sound wrong = owned.sound;
  wrong.values.dtype = DType::kInt32;
  EXPECT_EQ(refusal_of(modality, wrong).got, "int32");
  wrong = owned.sound;
  wrong.values.data = nullptr;
  EXPECT_EQ(refusal_of(modality, wrong).got, "no data");
  wrong = part_of(owned.sound, 0, 0);
  EXPECT_EQ(refusal_of(modality, wrong).got, "[0, 1]");
  wrong = owned.sound;
  wrong.values.shape = Shape{1, 300};
  EXPECT_NE(refusal_of(modality, wrong).action.find("transpose"), std::string::npos);
  wrong.values.shape = Shape{10, 15, 2};
  EXPECT_EQ(refusal_of(modality, wrong).got, "[10, 15, 2]");
  wrong = owned.sound;
  wrong.values.strides[0] = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(refusal_of(modality, wrong).expected, "samples in memory");
  for (const double rate :
       {-16000.0, 1.0, 999.0, 384001.0, 44100.5, 1e300, std::numeric_limits<double>::quiet_NaN(),
        std::numeric_limits<double>::infinity()}) {
    wrong = owned.sound;
    wrong.sample_rate_hz = rate;
    EXPECT_NE(refusal_of(modality, wrong).expected.find("whole Hz"), std::string::npos) << rate;
  }
  wrong.sample_rate_hz = 383987.0;
  EXPECT_NE(refusal_of(modality, wrong).expected.find("simple ratio"), std::string::npos);
}

TEST_F(SoundTest, RefusesValuesThatAreNoSamples) {
  const ModalityDescription modality = log_mel_of(300);
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e7F}) {
    OwnedSound owned = random_sound(DType::kFloat32, 300, 1, generator_);
    const std::int64_t at = between(0, 299);
    std::memcpy(owned.memory.data() + at * 4, &value, sizeof(value));
    EXPECT_NE(refusal_of(modality, owned.sound).got.find("frame " + std::to_string(at) + ","),
              std::string::npos);
  }
}

TEST_F(SoundTest, RefusesALengthThatIsNotDescribed) {
  ModalityDescription modality = log_mel_of(300);
  const OwnedSound longer = random_sound(DType::kInt16, 301, 1, generator_);
  EXPECT_EQ(refusal_of(modality, longer.sound).got, "301");
  EXPECT_EQ(refusal_of(modality, part_of(longer.sound, 0, 299)).got, "299");
  modality.sound.shorter = SoundShorter::kPad;
  EXPECT_EQ(refusal_of(modality, part_of(longer.sound, 0, 30)).got, "30");
}

}  // namespace
}  // namespace plait::detail
