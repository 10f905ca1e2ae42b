// sound_stream.cpp: chunks through converter and framer, rows out.
#include "preprocess/sound_stream.hpp"

#include <algorithm>
#include <utility>

#include "plait/error.hpp"
#include "preprocess/sound_features.hpp"

namespace plait::detail {
namespace {

std::unique_ptr<const SoundRule> checked(std::unique_ptr<const SoundRule> rule) {
  if (!rule->waveform()) return rule;
  throw ConfigError({.where = rule->where,
                     .expected = "a modality of log-mel or MFCC frames",
                     .got = "a waveform",
                     .action = "Keep its last window of samples, and prepare that."});
}

bool empty(const Sound& chunk) {
  return chunk.values.shape.rank() > 0 && chunk.values.shape[0] == 0;
}

}  // namespace

SoundStream::SoundStream(std::unique_ptr<const SoundRule> rule)
    : rule_(checked(std::move(rule))),
      tables_(*rule_),
      converter_(*rule_),
      framer_(rule_->description.mel, *rule_->engine),
      sums_(static_cast<std::size_t>(rule_->bands())) {}

std::int64_t SoundStream::ready() const noexcept {
  return static_cast<std::int64_t>(rows_.size() - read_) / bands();
}

void SoundStream::push(const Sound& chunk) {
  if (finished_) {
    throw ConfigError({.where = rule_->where,
                       .expected = "a chunk before the stream is finished",
                       .got = "one afterwards",
                       .action = "Call reset() before another sound."});
  }
  if (empty(chunk)) return;
  try {
    convert(chunk);
  } catch (...) {
    reset();
    throw;
  }
}

void SoundStream::convert(const Sound& chunk) {
  const SoundView view = checked_sound(chunk, rule_->description, rule_->where);
  if (rate_hz_ == 0) {
    framer_.begin();
    converter_.begin(tables_.of(view.rate_hz), 0);
    rate_hz_ = view.rate_hz;
  }
  if (view.rate_hz != rate_hz_) {
    throw SampleError({.where = rule_->where,
                       .expected = "chunks of one rate, " + std::to_string(rate_hz_) + " Hz",
                       .got = std::to_string(view.rate_hz) + " Hz",
                       .action = "Finish and reset the stream where the microphone changes."});
  }
  auto framed = [&](std::span<const double> samples) {
    framer_.append(samples);
    take_frames();
  };
  converter_.convert(view, 0, view.frames, framed);
}

void SoundStream::finish() {
  if (!finished_ && rate_hz_ != 0) {
    auto framed = [&](std::span<const double> samples) { framer_.append(samples); };
    converter_.finish(framed);
    framer_.finish();
    take_frames();
  }
  finished_ = true;
}

void SoundStream::take_frames() {
  const std::int64_t frames = framer_.ready();
  if (frames == 0) return;
  const std::int64_t bins = rule_->description.mel.bins;
  if (read_ == rows_.size()) {
    rows_.clear();
    read_ = 0;
  }
  const std::size_t before = rows_.size();
  rows_.resize(before + static_cast<std::size_t>(frames * bands()));
  const FeatureBlock block{rows_.data() + before, frames, bands(), bands(), 1};
  if (rule_->description.features == SoundFeatures::kMfcc) {
    logs_.resize(static_cast<std::size_t>(frames * bins));
    framer_.take(frames, logs_.data(), bins, 1);
    for (std::int64_t f = 0; f < frames; ++f) {
      cosine_transform(*rule_, logs_.data() + f * bins, sums_.data(), block.data + f * bands(), 1);
    }
  } else {
    framer_.take(frames, block.data, bands(), 1);
  }
  normalise(*rule_, block);
}

std::int64_t SoundStream::read(std::span<float> out) {
  const std::int64_t rows = std::min(ready(), static_cast<std::int64_t>(out.size()) / bands());
  const auto values = static_cast<std::size_t>(rows * bands());
  std::copy_n(rows_.data() + read_, values, out.data());
  read_ += values;
  return rows;
}

void SoundStream::reset() noexcept {
  rate_hz_ = 0;
  finished_ = false;
  rows_.clear();
  read_ = 0;
}

}  // namespace plait::detail
