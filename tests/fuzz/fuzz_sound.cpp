// fuzz_sound.cpp: PCM through descriptions that the first bytes choose; chunked must equal offline.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "choices.hpp"
#include "plait/error.hpp"
#include "preprocess/sound.hpp"
#include "preprocess/sound_stream.hpp"

namespace {

using plait::DType;
using plait::SoundDescription;
using plait::testing::Choices;

plait::ModalityDescription described(Choices& choices) {
  plait::ModalityDescription modality;
  modality.kind = "sound";
  SoundDescription& sound = modality.sound;
  constexpr std::array kRates = {16000.0, 8000.0, 12000.0, 48000.0};
  sound.rate_hz = 16000.0;
  sound.sensor_rate_hz = kRates[static_cast<std::size_t>(choices.below(4))];
  sound.sensor_channels = 1 + choices.below(3);
  sound.channel = choices.below(sound.sensor_channels + 1) - 1;
  sound.resampler_zeros = 1 + choices.below(6);
  sound.resampler_beta = 2.0;  // tables of few phases and terms, so that executions are quick
  sound.window = 40 + choices.next();
  sound.shorter = static_cast<plait::SoundShorter>(choices.below(4));
  sound.longer = static_cast<plait::SoundLonger>(choices.below(3));
  plait::MelDescription& mel = sound.mel;
  constexpr std::array kTransforms = {2, 16, 20, 28, 44, 64};
  mel.fft = kTransforms[static_cast<std::size_t>(choices.below(6))];
  mel.length = 1 + choices.below(mel.fft);
  mel.step = 1 + choices.below(50);
  mel.window = static_cast<plait::SoundWindow>(choices.below(6));
  mel.edges = static_cast<plait::SoundEdges>(choices.below(4));
  const std::int64_t switches = choices.next();
  mel.drop_last = (switches & 1) != 0;
  mel.remove_mean = (switches & 2) != 0;
  mel.preemphasis = (switches & 4) != 0 ? 0.97F : 0.0F;
  mel.magnitude = (switches & 8) != 0;
  sound.frames_first = (switches & 16) != 0;
  if ((switches & 32) != 0) sound.features = plait::SoundFeatures::kMfcc;
  mel.range = (switches & 64) != 0 ? 8.0F : 0.0F;
  mel.bins = 1 + choices.below(5);
  mel.coefficients = 1 + choices.below(mel.bins);
  mel.high_hz = 8000.0;
  mel.scale = static_cast<plait::MelScale>(choices.below(3));
  mel.logarithm = static_cast<plait::SoundLogarithm>(choices.below(4));
  mel.offset = 1e-6F;
  sound.mean = {0.5F};
  sound.std = {2.0F};
  return modality;
}

/// Samples of what is left of the input, in memory of exactly their size.
struct Pcm {
  std::vector<std::uint8_t> memory;
  plait::Sound sound;
};

Pcm pcm_of(Choices& choices, const SoundDescription& description) {
  Pcm pcm;
  const DType dtype = choices.below(2) == 0 ? DType::kInt16 : DType::kFloat32;
  constexpr std::array kStated = {0.0, 0.0, 0.0, 16000.0, 40000.0, 6000.0, 999.0, -1.0};
  pcm.sound.sample_rate_hz = kStated[static_cast<std::size_t>(choices.below(8))];
  const std::span<const std::uint8_t> rest = choices.rest();
  pcm.memory.assign(rest.begin(), rest.end());
  const std::size_t frame =
      static_cast<std::size_t>(description.sensor_channels) * plait::size_of(dtype);
  const auto frames = static_cast<std::int64_t>(rest.size() / frame);
  pcm.sound.values = {pcm.memory.data(), dtype, plait::Shape{frames, description.sensor_channels}};
  return pcm;
}

std::vector<float> offline(const plait::ModalityDescription& modality, const plait::Sound& sound) {
  const auto preprocessor = plait::detail::make_sound_preprocessor(modality, "fuzz");
  const auto scratch = preprocessor->make_scratch();
  plait::Tensor out(DType::kFloat32, preprocessor->input_shape());
  preprocessor->prepare(sound, *scratch, out.view());
  const auto values = out.view().as_span<float>();
  return {values.begin(), values.end()};
}

std::vector<float> chunked(const plait::ModalityDescription& modality, const plait::Sound& sound,
                           std::int64_t most) {
  plait::detail::SoundStream stream(std::make_unique<plait::detail::SoundRule>(
      modality.sound, "fuzz", plait::detail::best_sound_kernels()));
  const std::int64_t frames = sound.values.shape[0];
  plait::Sound part = sound;
  for (std::int64_t first = 0; first < frames; first += most) {
    part.values.data =
        static_cast<const std::byte*>(sound.values.data) + first * sound.values.strides[0];
    part.values.shape = plait::Shape{std::min(most, frames - first), sound.values.shape[1]};
    stream.push(part);
  }
  stream.finish();
  std::vector<float> rows(static_cast<std::size_t>(stream.ready() * stream.bands()));
  stream.read(rows);
  return rows;
}

void run(Choices& choices) {
  plait::ModalityDescription modality = described(choices);
  const std::int64_t most = 1 + choices.next();
  const Pcm pcm = pcm_of(choices, modality.sound);
  offline(modality, pcm.sound);

  // Once more as a whole: a window of all its samples, and nothing that belongs to a window.
  SoundDescription& sound = modality.sound;
  const double stated = pcm.sound.sample_rate_hz;
  const auto in_hz = static_cast<std::int64_t>(stated > 0.0 ? stated : sound.sensor_rate_hz);
  sound.window = std::max<std::int64_t>((pcm.sound.values.shape[0] * 16000 + in_hz - 1) / in_hz, 1);
  sound.mel.range = 0.0F;
  sound.frames_first = true;
  const std::vector<float> whole = offline(modality, pcm.sound);
  const std::vector<float> rows = chunked(modality, pcm.sound, most);
  if (rows.size() != whole.size()) std::abort();
  if (!rows.empty() && std::memcmp(rows.data(), whole.data(), rows.size() * sizeof(float)) != 0) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(data, size);
  try {
    run(choices);
  } catch (const plait::SampleError& error) {
    if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
  } catch (const plait::BundleError&) {
    // A window without a frame: some choices make no description.
  }
  return 0;
}
