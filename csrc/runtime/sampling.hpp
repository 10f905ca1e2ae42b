// sampling.hpp: from logits to the next token: penalties, filters and a drawn number.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/generation.hpp"

namespace plait::detail {

/// log(sum of exp(logits)). Throws BackendError where a logit is NaN or positive infinity, or all
/// are negative infinity; where begins its message.
double log_sum_exp(std::span<const float> logits, const std::string& where);

/// A number in [0, 1), the same on every platform: splitmix64 (Steele et al., Fast Splittable
/// Pseudorandom Number Generators, 2014) of seed and counter, the upper 53 bits.
double uniform(std::uint64_t seed, std::uint64_t counter) noexcept;

/// Chooses tokens. Memory for one vocabulary is allocated when it is made, none later.
class Sampler {
 public:
  explicit Sampler(std::size_t vocabulary);

  /// Divides logits of previous tokens that are positive by penalty and multiplies the others, each
  /// token once (Keskar et al., CTRL, 2019). previous are ids below the vocabulary.
  void penalize(std::span<float> logits, std::span<const std::int64_t> previous, double penalty);
  /// The highest logit; of equal ones the first.
  static std::int64_t best(std::span<const float> logits) noexcept;
  /// A token drawn with a number in [0, 1) after temperature, top_k and top_p.
  std::int64_t draw(std::span<const float> logits, const GenerationOptions& options, double number);
  /// What draw chooses from: ids with their weights, which are not normalised.
  std::span<const std::pair<std::int64_t, double>> choices(std::span<const float> logits,
                                                           const GenerationOptions& options);

 private:
  std::vector<std::pair<float, std::int64_t>> heap_;
  std::vector<std::pair<std::int64_t, double>> choices_;
  std::vector<std::uint32_t> marks_;
  std::uint32_t mark_ = 0;
};

}  // namespace plait::detail
