// beam_search.cpp: the bookkeeping of a beam search.
#include "runtime/beam_search.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace plait::detail {
namespace {

constexpr float kNever = -1e9F;  // of a beam or a finished text that there is not yet

}  // namespace

BeamSearch::Text BeamSearch::room(std::size_t tokens) {
  Text text;
  text.tokens.resize(tokens);
  text.scores.resize(tokens);
  return text;
}

BeamSearch::BeamSearch(std::size_t beams, std::size_t ends, std::size_t most_tokens)
    : beams_(beams),
      kept_(std::max<std::size_t>(2, 1 + ends) * beams),
      running_(beams, room(most_tokens)),
      next_(beams, room(most_tokens)),
      finished_(beams, room(most_tokens)),
      spare_(room(most_tokens)),
      parents_(beams) {
  candidates_.reserve(kept_ + 1);
}

void BeamSearch::begin(std::size_t max_tokens, double length_penalty) {
  max_tokens_ = max_tokens;
  length_penalty_ = length_penalty;
  length_ = 0;
  candidates_.clear();
  for (Text& text : finished_) {
    text.length = 0;
    text.score = kNever;
    text.finished = false;
  }
  // All beams begin alike: only one of them counts, or all would stay alike.
  for (std::size_t beam = 0; beam < beams_; ++beam)
    running_[beam].score = beam == 0 ? 0.0F : kNever;
}

void BeamSearch::offer(std::size_t beam, std::span<const float> processed,
                       std::span<const float> raw) {
  const float before = running_[beam].score;
  for (std::size_t token = 0; token < processed.size(); ++token) {
    const float score = before + processed[token];
    if (candidates_.size() == kept_ && !(score > candidates_.back().score)) continue;
    const auto place =
        std::upper_bound(candidates_.begin(), candidates_.end(), score,
                         [](float value, const Candidate& other) { return value > other.score; });
    candidates_.insert(place, {score, beam, static_cast<std::int64_t>(token), raw[token]});
    if (candidates_.size() > kept_) candidates_.pop_back();
  }
}

void BeamSearch::extend(const Text& from, const Candidate& candidate, std::size_t length,
                        Text& to) {
  const auto count = static_cast<std::ptrdiff_t>(length);
  std::copy(from.tokens.begin(), from.tokens.begin() + count, to.tokens.begin());
  std::copy(from.scores.begin(), from.scores.begin() + count, to.scores.begin());
  to.tokens[length] = candidate.token;
  to.scores[length] = candidate.raw;
  to.length = length + 1;
}

/// Puts it among the finished ones where it is better than the worst of them.
void BeamSearch::finish(const Candidate& candidate, float score) {
  if (!(score > finished_.back().score)) return;
  extend(running_[candidate.beam], candidate, length_, spare_);
  spare_.score = score;
  spare_.finished = true;
  std::swap(spare_, finished_.back());
  for (std::size_t i = finished_.size() - 1; i > 0; --i) {
    if (!(finished_[i].score > finished_[i - 1].score)) break;
    std::swap(finished_[i], finished_[i - 1]);
  }
}

bool BeamSearch::advance(std::span<const char> is_end) {
  const bool last = length_ + 1 >= max_tokens_;
  const auto power =
      static_cast<float>(std::pow(static_cast<double>(length_ + 1), length_penalty_));
  std::size_t taken = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const Candidate& candidate = candidates_[i];
    const bool ends = last || is_end[static_cast<std::size_t>(candidate.token)] != 0;
    if (ends) {
      if (i < beams_) finish(candidate, candidate.score / power);
    } else if (taken < beams_) {
      extend(running_[candidate.beam], candidate, length_, next_[taken]);
      next_[taken].score = candidate.score;
      parents_[taken++] = candidate.beam;
    }
  }
  candidates_.clear();
  ++length_;
  if (last || taken < beams_) return false;
  std::swap(running_, next_);
  const Text& worst = finished_.back();
  const auto hopeful = [&](const Text& text) { return !text.finished; };
  return std::any_of(finished_.begin(), finished_.end(), hopeful) ||
         running_.front().score / power > worst.score;
}

}  // namespace plait::detail
