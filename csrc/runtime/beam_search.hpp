// beam_search.hpp: several texts side by side, as transformers' beam search with early_stopping
// off.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plait::detail {

/// Texts of one search. Memory is allocated when it is made, none later.
///
/// Of each step the (1 + end tokens) * beams best continuations, but at least 2 * beams, are looked
/// at: those that end and are among the first `beams` join the finished texts, the best of the
/// others go on. It is over when no text that goes on could become better than every finished one,
/// by its present length, or at max_tokens.
class BeamSearch {
 public:
  /// ends: how many different tokens end a text.
  BeamSearch(std::size_t beams, std::size_t ends, std::size_t most_tokens);

  void begin(std::size_t max_tokens, double length_penalty);
  /// Offers what beam `beam` could say next. processed: log probabilities after penalties, which
  /// count; raw: those before, which are kept as scores. All beams in order, then advance().
  void offer(std::size_t beam, std::span<const float> processed, std::span<const float> raw);
  /// Chooses. is_end: 1 for each token that ends a text. Returns whether the search goes on.
  bool advance(std::span<const char> is_end);

  /// Of each beam the one it continues, and its last token.
  std::span<const std::size_t> parents() const noexcept { return parents_; }
  std::span<const std::int64_t> tokens(std::size_t beam) const noexcept {
    return {running_[beam].tokens.data(), length_};
  }
  struct Text {
    std::vector<std::int64_t> tokens;  // room for all; length counts
    std::vector<float> scores;
    std::size_t length = 0;
    float score = 0.0F;
    bool finished = false;
  };
  /// The best text when the search is over. Its last token may be one that ends it.
  const Text& best() const noexcept { return finished_.front(); }

 private:
  struct Candidate {
    float score;
    std::size_t beam;
    std::int64_t token;
    float raw;
  };
  static Text room(std::size_t tokens);
  static void extend(const Text& from, const Candidate& candidate, std::size_t length, Text& to);
  void finish(const Candidate& candidate, float score);

  std::size_t beams_;
  std::size_t kept_;
  std::size_t max_tokens_ = 0;
  double length_penalty_ = 1.0;
  std::size_t length_ = 0;
  std::vector<Text> running_;
  std::vector<Text> next_;
  std::vector<Text> finished_;  // best first
  Text spare_;
  std::vector<Candidate> candidates_;  // best first
  std::vector<std::size_t> parents_;
};

}  // namespace plait::detail
