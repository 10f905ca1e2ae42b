// sound_framer.cpp: which samples a frame sees, at the edges too.
#include "preprocess/sound_framer.hpp"

#include <algorithm>

namespace plait::detail {

SoundFramer::SoundFramer(const MelDescription& mel, const SpectrumEngine& engine)
    : mel_(mel),
      engine_(engine),
      first_(first_frame_of(mel)),
      queue_(kSoundSlack),
      work_(DType::kFloat64, Shape{engine.work_values()}) {
  begin();
}

void SoundFramer::begin() {
  next_ = 0;
  total_ = -1;
  const std::int64_t front = std::max<std::int64_t>(-first_, 0);
  queue_.restart(-front);
  queue_.append_zeros(front);
  front_settled_ = front == 0 || mel_.edges == SoundEdges::kZeros;
}

void SoundFramer::append(std::span<const double> samples) {
  queue_.append(samples);
  settle_front();
}

void SoundFramer::append_zeros(std::int64_t samples) {
  queue_.append_zeros(samples);
  settle_front();
}

/// The sample that is seen at a position outside of a sound of so many samples.
std::int64_t SoundFramer::mirrored(std::int64_t position, std::int64_t samples) const noexcept {
  const bool end_twice = mel_.edges == SoundEdges::kKaldi;
  if (samples == 1) return 0;
  while (position < 0 || position >= samples) {
    if (position < 0) {
      position = end_twice ? -1 - position : -position;
    } else {
      position = (end_twice ? 2 * samples - 1 : 2 * samples - 2) - position;
    }
  }
  return position;
}

void SoundFramer::settle_front() {
  // As many samples mirror without reaching the other end.
  if (!front_settled_ && queue_.end() > -first_) fill_front(queue_.end());
}

void SoundFramer::fill_front(std::int64_t samples) {
  for (std::int64_t position = first_; position < 0; ++position) {
    queue_.set(position, *queue_.at(mirrored(position, samples)));
  }
  front_settled_ = true;
}

void SoundFramer::finish() {
  const std::int64_t samples = queue_.end();
  total_ = mel_.frames_of(samples);
  if (samples == 0 || total_ == 0) {
    total_ = 0;
    return;
  }
  if (!front_settled_) fill_front(samples);
  const std::int64_t needed = start_of(total_ - 1) + mel_.length;
  for (std::int64_t position = samples; position < needed; ++position) {
    const bool zero = mel_.edges == SoundEdges::kZeros;
    const double value = zero ? 0.0 : *queue_.at(mirrored(position, samples));
    queue_.append(1)[0] = value;
  }
}

std::int64_t SoundFramer::ready() const noexcept {
  if (total_ >= 0) return std::max<std::int64_t>(total_ - next_, 0);
  const std::int64_t behind = queue_.end() - mel_.length - first_;
  if (!front_settled_ || behind < 0) return 0;
  // Of a sound that ended here no more would be left.
  const std::int64_t decided = std::min(behind / mel_.step + 1, mel_.frames_of(queue_.end()));
  return std::max<std::int64_t>(decided - next_, 0);
}

void SoundFramer::take(std::int64_t frames, float* out, std::int64_t frame_step,
                       std::int64_t band_step) {
  if (frames < 1) return;
  engine_.run({.samples = queue_.at(start_of(next_)),
               .frames = frames,
               .out = out,
               .frame_step = frame_step,
               .band_step = band_step,
               .work = static_cast<double*>(work_.view().data)});
  next_ += frames;
  // An end that is mirrored reaches no further back than a frame.
  queue_.drop_before(std::min(start_of(next_), queue_.end() - mel_.length - 1));
}

}  // namespace plait::detail
