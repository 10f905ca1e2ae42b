// sample_queue.hpp: a stretch of a growing series of samples, contiguous, addressed by its
// positions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace plait::detail {

/// Samples from begin() to end() of a series. What lies slack values behind the end may be read.
/// Does not allocate once it has been as long as it gets.
class SampleQueue {
 public:
  explicit SampleQueue(std::int64_t slack) : slack_(slack) {}

  /// Forgets everything; the next sample has this position.
  void restart(std::int64_t position) noexcept {
    head_ = 0;
    count_ = 0;
    begin_ = position;
  }

  std::int64_t begin() const noexcept { return begin_; }
  std::int64_t end() const noexcept { return begin_ + count_; }
  const double* at(std::int64_t position) const noexcept {
    return memory_.data() + head_ + (position - begin_);
  }

  void set(std::int64_t position, double value) noexcept {
    memory_[static_cast<std::size_t>(head_ + (position - begin_))] = value;
  }

  /// Room for so many more samples, to be written by the caller.
  std::span<double> append(std::int64_t samples) {
    const auto needed = static_cast<std::size_t>(head_ + count_ + samples + slack_);
    if (needed > memory_.size()) make_room(samples);
    double* first = memory_.data() + head_ + count_;
    count_ += samples;
    return {first, static_cast<std::size_t>(samples)};
  }

  void append(std::span<const double> samples) {
    std::copy(samples.begin(), samples.end(),
              append(static_cast<std::int64_t>(samples.size())).begin());
  }
  void append_zeros(std::int64_t samples) {
    const std::span<double> room = append(samples);
    std::fill(room.begin(), room.end(), 0.0);
  }

  /// Forgets what lies before a position.
  void drop_before(std::int64_t position) noexcept {
    const std::int64_t dropped = std::clamp<std::int64_t>(position - begin_, 0, count_);
    head_ += dropped;
    begin_ += dropped;
    count_ -= dropped;
  }

 private:
  void make_room(std::int64_t samples) {
    const auto kept = memory_.begin() + head_;
    std::copy(kept, kept + count_, memory_.begin());
    head_ = 0;
    const auto needed = static_cast<std::size_t>(count_ + samples + slack_);
    // Twice what is needed, so that samples are moved to the front but now and then.
    if (needed > memory_.size()) memory_.resize(2 * needed);
  }

  std::vector<double> memory_;
  std::int64_t slack_;
  std::int64_t head_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace plait::detail
