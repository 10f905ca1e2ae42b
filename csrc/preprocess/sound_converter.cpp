// sound_converter.cpp: mixes and resamples block by block, so that all stays in the cache.
#include "preprocess/sound_converter.hpp"

#include <algorithm>

#include "plait/error.hpp"

namespace plait::detail {
namespace {

constexpr std::int64_t kBlock = 2048;

}  // namespace

const ResamplerTable* ResamplerTables::of(std::int64_t rate_hz) {
  if (rate_hz == rule_.rate_hz()) return nullptr;
  if (rule_.declared != nullptr && rule_.declared->in_hz == rate_hz) return rule_.declared.get();
  for (const auto& table : kept_) {
    if (table != nullptr && table->in_hz == rate_hz) return table.get();
  }
  if (resampler_weights(rate_hz, rule_.rate_hz(), rule_.resampler()) > kMostResamplerWeights) {
    throw SampleError(
        {.where = rule_.where,
         .expected = "a sample rate in a simple ratio to the encoder's " +
                     std::to_string(rule_.rate_hz()) + " Hz",
         .got = std::to_string(rate_hz) + " Hz",
         .action = "State the nominal rate (44100, 48000, ...), or resample before."});
  }
  auto& place = kept_[oldest_];
  oldest_ = (oldest_ + 1) % kept_.size();
  place = make_resampler_table(rate_hz, rule_.rate_hz(), rule_.resampler());
  return place.get();
}

SoundConverter::SoundConverter(const SoundRule& rule)
    : rule_(rule), resampler_(rule.kernels), mixed_(kBlock), resampled_(kBlock) {}

std::int64_t SoundConverter::begin(const ResamplerTable* table, std::int64_t first) {
  table_ = table;
  return table_ == nullptr ? first : resampler_.begin(*table_, first);
}

void SoundConverter::convert(const SoundView& sound, std::int64_t begin, std::int64_t end,
                             SampleSink sink) {
  for (std::int64_t first = begin; first < end; first += kBlock) {
    const auto count = static_cast<std::size_t>(std::min(end - first, kBlock));
    const std::span<double> block = std::span(mixed_).first(count);
    mix_channels(sound, first, rule_.description, rule_.where, block);
    if (table_ == nullptr) {
      sink(block);
    } else {
      resampler_.append(block);
      drain(sink);
    }
  }
}

void SoundConverter::finish(SampleSink sink) {
  if (table_ == nullptr) return;
  resampler_.finish();
  drain(sink);
}

void SoundConverter::drain(SampleSink sink) {
  for (std::int64_t ready = resampler_.ready(); ready > 0; ready = resampler_.ready()) {
    const std::span<double> block =
        std::span(resampled_).first(static_cast<std::size_t>(std::min(ready, kBlock)));
    resampler_.take(block);
    sink(block);
  }
}

}  // namespace plait::detail
