// sampling.cpp: penalties, temperature, top-k, top-p and a draw, as transformers orders them.
#include "runtime/sampling.hpp"

#include <algorithm>
#include <cmath>

#include "base/format.hpp"
#include "plait/error.hpp"

namespace plait {
namespace detail {
namespace {

/// Less likely; of equally likely the later token: so that every platform ranks alike.
bool less_likely(const std::pair<float, std::int64_t>& a,
                 const std::pair<float, std::int64_t>& b) noexcept {
  return a.first != b.first ? a.first < b.first : a.second > b.second;
}

}  // namespace

double log_sum_exp(std::span<const float> logits, const std::string& where) {
  float largest = -INFINITY;
  bool broken = false;
  for (const float logit : logits) {
    broken = broken || std::isnan(logit);
    largest = std::max(largest, logit);
  }
  if (broken || std::isinf(largest)) {
    throw BackendError({.where = where,
                        .expected = "logits that are numbers",
                        .got = broken ? "NaN" : "infinity",
                        .action = "Run `plait doctor` on the bundle, or load it in fp32."});
  }
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - largest));
  return largest + std::log(sum);
}

double uniform(std::uint64_t seed, std::uint64_t counter) noexcept {
  std::uint64_t bits = seed + (counter + 1) * 0x9E3779B97F4A7C15ULL;
  bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBULL;
  bits ^= bits >> 31U;
  return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

Sampler::Sampler(std::size_t vocabulary) : marks_(vocabulary) {
  heap_.reserve(vocabulary);
  choices_.reserve(vocabulary);
}

void Sampler::penalize(std::span<float> logits, std::span<const std::int64_t> previous,
                       double penalty) {
  if (penalty == 1.0) return;
  if (++mark_ == 0) {  // wrapped around: old marks would count
    std::fill(marks_.begin(), marks_.end(), 0);
    mark_ = 1;
  }
  const auto factor = static_cast<float>(penalty);
  for (const std::int64_t token : previous) {
    std::uint32_t& mark = marks_[static_cast<std::size_t>(token)];
    if (mark == mark_) continue;
    mark = mark_;
    float& logit = logits[static_cast<std::size_t>(token)];
    logit = logit < 0.0F ? logit * factor : logit / factor;
  }
}

std::int64_t Sampler::best(std::span<const float> logits) noexcept {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

std::span<const std::pair<std::int64_t, double>> Sampler::choices(
    std::span<const float> logits, const GenerationOptions& options) {
  choices_.clear();
  const float largest = *std::max_element(logits.begin(), logits.end());
  const auto weight = [&](float logit) {
    return std::exp((static_cast<double>(logit) - largest) / options.temperature);
  };
  const auto count = static_cast<std::int64_t>(logits.size());
  const bool some = options.top_k > 0 && options.top_k < count;
  if (!some && options.top_p >= 1.0) {
    for (std::int64_t id = 0; id < count; ++id) {
      choices_.emplace_back(id, weight(logits[static_cast<std::size_t>(id)]));
    }
    return choices_;
  }
  // A heap gives the most likely first and is not sorted further than is asked for.
  heap_.clear();
  for (std::int64_t id = 0; id < count; ++id) {
    heap_.emplace_back(logits[static_cast<std::size_t>(id)], id);
  }
  std::make_heap(heap_.begin(), heap_.end(), less_likely);
  double total = 0.0;
  if (some) {
    float last = 0.0F;
    // Those as likely as the last of them are kept, too.
    while (!heap_.empty() && (static_cast<std::int64_t>(choices_.size()) < options.top_k ||
                              heap_.front().first >= last)) {
      last = heap_.front().first;
      choices_.emplace_back(heap_.front().second, weight(last));
      total += choices_.back().second;
      std::pop_heap(heap_.begin(), heap_.end(), less_likely);
      heap_.pop_back();
    }
    double before = 0.0;
    std::size_t kept = 0;
    while (kept < choices_.size() && (kept == 0 || before < options.top_p * total)) {
      before += choices_[kept++].second;
    }
    if (options.top_p < 1.0) choices_.resize(kept);
    return choices_;
  }
  for (const auto& [logit, id] : heap_) total += weight(logit);
  double before = 0.0;
  while (!heap_.empty() && (choices_.empty() || before < options.top_p * total)) {
    choices_.emplace_back(heap_.front().second, weight(heap_.front().first));
    before += choices_.back().second;
    std::pop_heap(heap_.begin(), heap_.end(), less_likely);
    heap_.pop_back();
  }
  return choices_;
}

std::int64_t Sampler::draw(std::span<const float> logits, const GenerationOptions& options,
                           double number) {
  const auto list = choices(logits, options);
  double total = 0.0;
  for (const auto& [id, weight] : list) total += weight;
  double sum = 0.0;
  std::int64_t last = list.front().first;
  for (const auto& [id, weight] : list) {
    if (weight <= 0.0) continue;
    last = id;
    sum += weight;
    if (sum > number * total) break;
  }
  return last;
}

}  // namespace detail

void token_probabilities(std::span<const float> logits, std::span<const std::int64_t> previous,
                         const GenerationOptions& options, std::span<double> probabilities) {
  options.validate();
  const auto known = [&](std::int64_t id) {
    return id >= 0 && static_cast<std::size_t>(id) < logits.size();
  };
  if (options.temperature <= 0.0 || probabilities.size() != logits.size() ||
      !std::all_of(previous.begin(), previous.end(), known)) {
    throw ConfigError({.where = "token_probabilities",
                       .expected = "a temperature above 0, room for as many probabilities as there "
                                   "are logits, and previous tokens among them",
                       .got = "temperature " + detail::number_text(options.temperature) + ", " +
                              std::to_string(logits.size()) + " logits, " +
                              std::to_string(probabilities.size()) + " probabilities",
                       .action = ""});
  }
  (void)detail::log_sum_exp(logits, "token_probabilities");
  detail::Sampler sampler(logits.size());
  std::vector<float> penalized(logits.begin(), logits.end());
  sampler.penalize(penalized, previous, options.repetition_penalty);
  const auto list = sampler.choices(penalized, options);
  double total = 0.0;
  for (const auto& [id, weight] : list) total += weight;
  std::fill(probabilities.begin(), probabilities.end(), 0.0);
  for (const auto& [id, weight] : list) {
    probabilities[static_cast<std::size_t>(id)] = weight / total;
  }
}

}  // namespace plait
