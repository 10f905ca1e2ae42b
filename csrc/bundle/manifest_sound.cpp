// manifest_sound.cpp: the section of a modality of kind "sound".
#include <algorithm>
#include <limits>

#include "bundle/manifest.hpp"
#include "bundle/manifest_kinds.hpp"

namespace plait::detail {
namespace {

constexpr double kMaxRateHz = 1e6;
constexpr std::int64_t kMaxZeros = 512;
constexpr double kMaxBeta = 100.0;
constexpr std::int64_t kMaxTransform = 65536;
constexpr std::int64_t kMaxStep = 65536;
constexpr std::int64_t kMaxPrimeFactor = 1024;
constexpr std::int64_t kMaxBins = 4096;
constexpr double kMaxGain = 65536.0;
constexpr double kMaxLevel = 1e30;
constexpr double kMaxLifter = 1e6;
constexpr float kSmallest = std::numeric_limits<float>::min();
constexpr float kLargest = std::numeric_limits<float>::max();

float level(const JsonReader& reader, double least, double most) {
  return static_cast<float>(reader.number(least, most));
}

double whole_rate(const JsonReader& reader) {
  const double rate = reader.number(1.0, kMaxRateHz);
  if (rate != static_cast<double>(static_cast<std::int64_t>(rate))) reader.fail("whole Hz");
  return rate;
}

/// The time a prime factor takes grows with the factor; transforms in use have small ones.
std::int64_t parse_transform(const JsonReader& reader) {
  const std::int64_t points = reader.integer(2, kMaxTransform);
  std::int64_t rest = points;
  for (std::int64_t factor = 2; factor <= kMaxPrimeFactor; ++factor) {
    while (rest % factor == 0) rest /= factor;
  }
  if (points % 2 != 0 || rest != 1) {
    reader.fail("an even number without prime factors above " + std::to_string(kMaxPrimeFactor));
  }
  return points;
}

void parse_sensor(const JsonReader& reader, SoundDescription& sound) {
  const JsonReader sensor = reader.field("sensor");
  sound.sensor_rate_hz = whole_rate(sensor.field("rate_hz"));
  sound.sensor_channels = sensor.field("channels").integer(1, kMaxChannels);
  const auto channel = reader.optional_field("channel");
  sound.channel = channel ? channel->integer(0, sound.sensor_channels - 1) : -1;
  sound.rate_hz = whole_rate(reader.field("rate_hz"));
  const JsonReader resampler = reader.field("resampler");
  sound.resampler_zeros = resampler.field("zeros").integer(1, kMaxZeros);
  sound.resampler_rolloff = resampler.field("rolloff").number(0.01, 1.0);
  sound.resampler_beta = resampler.field("beta").number(0.0, kMaxBeta);
}

void parse_window(const JsonReader& reader, SoundDescription& sound) {
  sound.window = reader.field("window").integer(1, kMaxWindow);
  sound.shorter = reader.field("shorter").choice<SoundShorter>({{"refuse", SoundShorter::kRefuse},
                                                                {"zeros", SoundShorter::kZeros},
                                                                {"repeat", SoundShorter::kRepeat},
                                                                {"pad", SoundShorter::kPad}});
  sound.longer = reader.field("longer").choice<SoundLonger>({{"refuse", SoundLonger::kRefuse},
                                                             {"first", SoundLonger::kFirst},
                                                             {"last", SoundLonger::kLast}});
  sound.gain = level(reader.field("gain"), kSmallest, kMaxGain);
}

void parse_frames(const JsonReader& reader, MelDescription& mel) {
  mel.fft = parse_transform(reader.field("fft"));
  mel.length = reader.field("length").integer(1, mel.fft);
  mel.step = reader.field("step").integer(1, kMaxStep);
  mel.window = reader.field("window").choice<SoundWindow>(
      {{"hann", SoundWindow::kHann},
       {"hann_symmetric", SoundWindow::kHannSymmetric},
       {"hamming", SoundWindow::kHamming},
       {"hamming_symmetric", SoundWindow::kHammingSymmetric},
       {"povey", SoundWindow::kPovey},
       {"rectangular", SoundWindow::kRectangular}});
  mel.edges = reader.field("edges").choice<SoundEdges>({{"snip", SoundEdges::kSnip},
                                                        {"reflect", SoundEdges::kReflect},
                                                        {"zeros", SoundEdges::kZeros},
                                                        {"kaldi", SoundEdges::kKaldi}});
  mel.drop_last = reader.field("drop_last").boolean();
  mel.remove_mean = reader.field("remove_mean").boolean();
  mel.preemphasis = level(reader.field("preemphasis"), 0.0, 1.0);
}

void parse_bands(const JsonReader& reader, double rate_hz, MelDescription& mel) {
  mel.magnitude = reader.field("spectrum").choice<bool>({{"power", false}, {"magnitude", true}});
  mel.bins = reader.field("bins").integer(1, kMaxBins);
  mel.low_hz = reader.field("low_hz").number(0.0, rate_hz / 2.0);
  const JsonReader high = reader.field("high_hz");
  mel.high_hz = high.number(0.0, rate_hz / 2.0);
  if (mel.high_hz <= mel.low_hz) high.fail("more than low_hz");
  mel.scale = reader.field("scale").choice<MelScale>(
      {{"slaney", MelScale::kSlaney}, {"htk", MelScale::kHtk}, {"kaldi", MelScale::kKaldi}});
  mel.area_norm = reader.field("norm").choice<bool>({{"slaney", true}, {"none", false}});
}

void parse_logarithm(const JsonReader& reader, MelDescription& mel) {
  const JsonReader kind = reader.field("kind");
  mel.logarithm = kind.choice<SoundLogarithm>({{"ln", SoundLogarithm::kNatural},
                                               {"log10", SoundLogarithm::kTen},
                                               {"db", SoundLogarithm::kDecibels},
                                               {"none", SoundLogarithm::kNone}});
  const JsonReader floor = reader.field("floor");
  mel.floor = level(floor, 0.0, kMaxLevel);
  mel.offset = level(reader.field("offset"), 0.0, kMaxLevel);
  mel.relative_to_max = reader.field("reference").choice<bool>({{"one", false}, {"max", true}});
  mel.range = level(reader.field("range"), 0.0, kMaxLevel);
  const bool none = mel.logarithm == SoundLogarithm::kNone;
  if (!none && mel.floor + mel.offset < kSmallest) {
    floor.fail("a floor or an offset above 0: silence has no logarithm");
  }
  if (none && mel.relative_to_max) reader.field("reference").fail("\"one\" without a logarithm");
}

/// Frames of the encoder: at least those of the window, and no tensor larger than allowed.
void parse_count(const JsonReader& reader, std::int64_t bands, SoundDescription& sound) {
  const std::int64_t count = sound.mel.frames_of(sound.window);
  if (count < 1) {
    reader.field("length").fail("a frame that fits into the window of " +
                                std::to_string(sound.window) + " samples");
  }
  const auto frames = reader.optional_field("frames");
  sound.mel.frames = frames ? frames->integer(count, kMaxWindow) : 0;
  const std::int64_t largest = std::max(bands, sound.mel.bins);
  if (std::max(count, sound.mel.frames) > kMaxElements / largest) {
    reader.fail("at most " + std::to_string(kMaxElements) + " values in all frames");
  }
  const auto pad = reader.optional_field("pad");
  sound.mel.pad = pad ? level(*pad, -kMaxLevel, kMaxLevel) : 0.0F;
}

std::int64_t bands_of(const SoundDescription& sound) {
  if (sound.features == SoundFeatures::kWaveform) return 1;
  return sound.features == SoundFeatures::kMfcc ? sound.mel.coefficients : sound.mel.bins;
}

void parse_mel(const JsonReader& reader, SoundDescription& sound) {
  parse_frames(reader, sound.mel);
  parse_bands(reader, sound.rate_hz, sound.mel);
  parse_logarithm(reader.field("log"), sound.mel);
  if (sound.features == SoundFeatures::kMfcc) {
    sound.mel.coefficients = reader.field("coefficients").integer(1, sound.mel.bins);
    sound.mel.lifter = level(reader.field("lifter"), 0.0, kMaxLifter);
  }
  parse_count(reader, bands_of(sound), sound);
}

/// One number, or one a band.
std::vector<float> parse_statistics(const JsonReader& reader, std::int64_t bands, float least) {
  const std::size_t given = reader.elements(1, static_cast<std::size_t>(bands)).size();
  const bool one = given == 1;
  return parse_per_channel(reader, one ? 1 : static_cast<std::size_t>(bands), least);
}

}  // namespace

SoundDescription parse_sound(const JsonReader& reader) {
  SoundDescription sound;
  parse_sensor(reader, sound);
  parse_window(reader, sound);
  sound.family = reader.field("family").text();
  sound.features = reader.field("features")
                       .choice<SoundFeatures>({{"waveform", SoundFeatures::kWaveform},
                                               {"log_mel", SoundFeatures::kLogMel},
                                               {"mfcc", SoundFeatures::kMfcc}});
  if (sound.features == SoundFeatures::kWaveform) {
    const auto standardize = reader.optional_field("standardize");
    sound.standardize = standardize && standardize->boolean();
    if (sound.shorter == SoundShorter::kPad) {
      reader.field("shorter").fail("refuse, zeros or repeat: a waveform has no frames to fill up");
    }
  } else {
    parse_mel(reader.field("mel"), sound);
    sound.frames_first = reader.field("layout").choice<bool>({{"NFT", false}, {"NTF", true}});
  }
  const std::int64_t bands = bands_of(sound);
  sound.mean = parse_statistics(reader.field("mean"), bands, -kLargest);
  // Dividing by less than the smallest normal number could overflow.
  sound.std = parse_statistics(reader.field("std"), bands, kSmallest);
  return sound;
}

std::vector<std::int64_t> input_shape(const SoundDescription& sound) {
  if (sound.features == SoundFeatures::kWaveform) return {-1, sound.window};
  const std::int64_t frames =
      sound.mel.frames > 0 ? sound.mel.frames : sound.mel.frames_of(sound.window);
  if (sound.frames_first) return {-1, frames, bands_of(sound)};
  return {-1, bands_of(sound), frames};
}

}  // namespace plait::detail
