// sound_cases.cpp: written from the definitions, without regard to speed.
#include "sound_cases.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <numbers>
#include <numeric>

#include "preprocess/sound.hpp"
#include "preprocess/sound_tables.hpp"

namespace plait::testing_support {
namespace {

constexpr double kPi = std::numbers::pi;

template <typename T>
void put(std::byte* address, T value) {
  std::memcpy(address, &value, sizeof(T));
}

double get(const Sound& sound, std::int64_t frame, std::int64_t channel) {
  const ConstTensorView& values = sound.values;
  const auto* address = static_cast<const std::byte*>(values.data) + frame * values.strides[0] +
                        (values.shape.rank() == 2 ? channel * values.strides[1] : 0);
  if (values.dtype == DType::kInt16) {
    std::int16_t value = 0;
    std::memcpy(&value, address, sizeof(value));
    return value / 32768.0;
  }
  float value = 0.0F;
  std::memcpy(&value, address, sizeof(value));
  return value;
}

double bessel(double x) {
  double term = 1.0;
  double sum = 1.0;
  for (int k = 1; k < 200; ++k) sum += term *= x * x / 4.0 / k / k;
  return sum;
}

/// The sample a frame sees at a position that may lie outside.
double seen(const MelDescription& mel, const std::vector<double>& pcm, std::int64_t position) {
  const auto count = static_cast<std::int64_t>(pcm.size());
  if (position >= 0 && position < count) return pcm[static_cast<std::size_t>(position)];
  if (mel.edges == SoundEdges::kZeros) return 0.0;
  const std::int64_t twice = mel.edges == SoundEdges::kKaldi ? 1 : 0;
  return seen(mel, pcm, position < 0 ? -position - twice : 2 * count - 2 + twice - position);
}

}  // namespace

OwnedSound random_sound(DType dtype, std::int64_t frames, std::int64_t channels,
                        std::mt19937& generator) {
  OwnedSound owned;
  const auto item = static_cast<std::int64_t>(size_of(dtype));
  owned.memory.resize(static_cast<std::size_t>(frames * channels * item));
  const bool planar = generator() % 2 == 0;
  ConstTensorView& view = owned.sound.values;
  view = ConstTensorView(owned.memory.data(), dtype, Shape{frames, channels});
  if (planar) {
    view.strides[0] = item;
    view.strides[1] = frames * item;
  }
  std::normal_distribution<double> noise(0.0, 0.05);
  const double step = std::uniform_real_distribution<double>(0.01, 1.0)(generator);
  for (std::int64_t f = 0; f < frames; ++f) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const double value = 0.3 * std::sin(step * static_cast<double>(f + 7 * c)) + noise(generator);
      std::byte* address = owned.memory.data() + f * view.strides[0] + c * view.strides[1];
      if (dtype == DType::kInt16) {
        put(address, static_cast<std::int16_t>(std::clamp(value, -1.0, 0.999) * 32768.0));
      } else {
        put(address, static_cast<float>(value));
      }
    }
  }
  return owned;
}

Sound part_of(const Sound& sound, std::int64_t first, std::int64_t count) {
  Sound part = sound;
  part.values.data =
      static_cast<const std::byte*>(sound.values.data) + first * sound.values.strides[0];
  std::array<std::int64_t, 2> dims{count,
                                   sound.values.shape.rank() == 2 ? sound.values.shape[1] : 1};
  part.values.shape = Shape(std::span(dims).first(sound.values.shape.rank()));
  return part;
}

ModalityDescription log_mel_of(std::int64_t window) {
  ModalityDescription modality;
  modality.name = "microphone";
  modality.kind = "sound";
  SoundDescription& sound = modality.sound;
  sound.sensor_rate_hz = sound.rate_hz = 16000.0;
  sound.window = window;
  sound.mel.length = 50;
  sound.mel.step = 20;
  sound.mel.fft = 60;
  sound.mel.bins = 7;
  sound.mel.high_hz = 8000.0;
  sound.mel.offset = 1e-6F;
  sound.mean = {0.0F};
  sound.std = {1.0F};
  return modality;
}

ModalityDescription random_features(std::mt19937& generator) {
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
  };
  ModalityDescription modality = log_mel_of(between(300, 900));
  SoundDescription& sound = modality.sound;
  MelDescription& mel = sound.mel;
  sound.sensor_channels = between(1, 3);
  sound.channel = between(-1, sound.sensor_channels - 1);
  sound.shorter = static_cast<SoundShorter>(between(1, 3));
  sound.longer = static_cast<SoundLonger>(between(1, 2));
  sound.gain = between(0, 1) == 0 ? 1.0F : 32768.0F;
  if (between(0, 1) == 1) sound.sensor_rate_hz = static_cast<double>(between(4, 60) * 800);
  constexpr std::array kTransforms = {30, 44, 60, 64, 128, 146};
  mel.fft = kTransforms[static_cast<std::size_t>(between(0, 5))];
  mel.length = between(1, mel.fft);
  mel.step = between(1, 70);
  mel.window = static_cast<SoundWindow>(between(0, 5));
  mel.edges = static_cast<SoundEdges>(between(0, 3));
  mel.drop_last = between(0, 3) == 0;
  mel.remove_mean = between(0, 1) == 1;
  mel.preemphasis = between(0, 1) == 1 ? 0.97F : 0.0F;
  mel.magnitude = between(0, 2) == 0;
  mel.bins = between(1, 12);
  mel.low_hz = static_cast<double>(between(0, 400));
  mel.scale = static_cast<MelScale>(between(0, 2));
  mel.area_norm = between(0, 1) == 1;
  mel.logarithm = static_cast<SoundLogarithm>(between(0, 3));
  sound.frames_first = between(0, 1) == 1;
  sound.mean = {1.5F};
  sound.std = {2.5F};
  if (between(0, 2) == 0) {
    sound.features = SoundFeatures::kMfcc;
    mel.coefficients = between(1, mel.bins);
    mel.lifter = between(0, 1) == 0 ? 0.0F : 22.0F;
  }
  return modality;
}

std::vector<float> prepared(const ModalityDescription& modality, const Sound& sound,
                            const detail::SoundKernels& kernels) {
  const auto preprocessor =
      detail::make_sound_preprocessor(modality, "test.plait, modality microphone", kernels);
  const auto scratch = preprocessor->make_scratch();
  Tensor out(DType::kFloat32, preprocessor->input_shape());
  preprocessor->prepare(sound, *scratch, out.view());
  const auto span = out.view().as_span<float>();
  return {span.begin(), span.end()};
}

std::vector<double> mixed(const SoundDescription& description, const Sound& sound) {
  std::vector<double> pcm;
  for (std::int64_t f = 0; f < sound.values.shape[0]; ++f) {
    double value = 0.0;
    for (std::int64_t c = 0; c < description.sensor_channels; ++c) {
      if (description.channel < 0) {
        value += get(sound, f, c) / static_cast<double>(description.sensor_channels);
      } else if (c == description.channel) {
        value = get(sound, f, c);
      }
    }
    pcm.push_back(value * description.gain);
  }
  return pcm;
}

std::vector<double> resampled(const SoundDescription& description, const std::vector<double>& pcm,
                              std::int64_t in_hz) {
  const double ratio = description.rate_hz / static_cast<double>(in_hz);
  const double cutoff = description.resampler_rolloff * std::min(1.0, ratio);
  const auto zeros = static_cast<double>(description.resampler_zeros);
  const auto out_hz = static_cast<std::int64_t>(description.rate_hz);
  const auto inputs = static_cast<std::int64_t>(pcm.size());
  std::vector<double> out(static_cast<std::size_t>((inputs * out_hz + in_hz - 1) / in_hz));
  for (std::size_t m = 0; m < out.size(); ++m) {
    for (std::int64_t n = 0; n < inputs; ++n) {
      const double t = static_cast<double>(static_cast<std::int64_t>(m) * in_hz - n * out_hz) /
                       static_cast<double>(out_hz) * cutoff;
      if (std::abs(t) >= zeros) continue;
      const double sinc = t == 0.0 ? 1.0 : std::sin(kPi * t) / (kPi * t);
      const double kaiser =
          bessel(description.resampler_beta * std::sqrt(1.0 - t * t / zeros / zeros)) /
          bessel(description.resampler_beta);
      out[m] += pcm[static_cast<std::size_t>(n)] * cutoff * sinc * kaiser;
    }
  }
  return out;
}

std::vector<double> log_mel(const SoundDescription& description, const std::vector<double>& pcm) {
  const MelDescription& mel = description.mel;
  const auto weights = detail::window_weights(mel.window, mel.length);
  const detail::MelBands bands = detail::mel_bands(mel, description.rate_hz);
  std::vector<double> logs;
  const std::int64_t frames = mel.frames_of(static_cast<std::int64_t>(pcm.size()));
  for (std::int64_t f = 0; f < frames; ++f) {
    std::vector<double> frame;
    const std::int64_t start = detail::first_frame_of(mel) + f * mel.step;
    for (std::int64_t i = 0; i < mel.length; ++i) frame.push_back(seen(mel, pcm, start + i));
    const double mean =
        std::accumulate(frame.begin(), frame.end(), 0.0) / static_cast<double>(mel.length);
    for (double& value : frame) value -= mel.remove_mean ? mean : 0.0;
    for (std::size_t i = frame.size(); i-- > 0;) {
      frame[i] -= static_cast<double>(mel.preemphasis) * frame[i > 0 ? i - 1 : 0];
      frame[i] *= weights[i];
    }
    std::vector<double> energy;
    for (std::int64_t k = 0; k <= mel.fft / 2; ++k) {
      std::complex<double> sum;
      for (std::size_t i = 0; i < frame.size(); ++i) {
        const auto turn = static_cast<double>(k * static_cast<std::int64_t>(i) % mel.fft);
        sum += frame[i] * std::polar(1.0, -2.0 * kPi * turn / static_cast<double>(mel.fft));
      }
      energy.push_back(mel.magnitude ? std::abs(sum) : std::norm(sum));
    }
    for (const detail::MelBand& band : bands.bands) {
      double sum = 0.0;
      for (std::int64_t k = 0; k < band.count; ++k) {
        sum += bands.weights[static_cast<std::size_t>(band.offset + k)] *
               energy[static_cast<std::size_t>(band.first + k)];
      }
      const double shifted =
          std::max(sum, static_cast<double>(mel.floor)) + static_cast<double>(mel.offset);
      const double decibels = mel.magnitude ? 20.0 : 10.0;
      switch (mel.logarithm) {
        case SoundLogarithm::kNatural:
          sum = std::log(shifted);
          break;
        case SoundLogarithm::kTen:
          sum = std::log10(shifted);
          break;
        case SoundLogarithm::kDecibels:
          sum = decibels * std::log10(shifted);
          break;
        case SoundLogarithm::kNone:
          break;
      }
      logs.push_back(sum);
    }
  }
  return logs;
}

}  // namespace plait::testing_support
