// test_generation.cpp: numbers that are drawn, filters, beams and the cache of a generation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "allocations.hpp"
#include "bundle/manifest_generation.hpp"
#include "plait/error.hpp"
#include "runtime/beam_search.hpp"
#include "runtime/generation_lane.hpp"
#include "runtime/sampling.hpp"

namespace plait::detail {
namespace {

std::vector<float> random_logits(std::size_t count, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0F, 2.0F);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

unsigned fresh_seed() {
  const unsigned seed = std::random_device{}();
  std::printf("seed: %u\n", seed);
  return seed;
}

TEST(Uniform, IsSplitMix64OnEveryPlatform) {
  // The first outputs of splitmix64 from seed 0, as its authors' code gives them.
  EXPECT_EQ(uniform(0, 0), static_cast<double>(0xE220A8397B1DCDAFULL >> 11U) * 0x1.0p-53);
  EXPECT_EQ(uniform(0, 1), static_cast<double>(0x6E789E6AA1B965F4ULL >> 11U) * 0x1.0p-53);
  EXPECT_EQ(uniform(0, 2), static_cast<double>(0x06C45D188009454FULL >> 11U) * 0x1.0p-53);
}

TEST(Sampler, DrawsOnlyWhatTheFiltersLeave) {
  std::mt19937 random(fresh_seed());
  for (int trial = 0; trial < 50; ++trial) {
    const std::size_t vocabulary = 1 + random() % 300;
    const std::vector<float> logits = random_logits(vocabulary, random);
    GenerationOptions options;
    options.temperature = 0.2 + static_cast<double>(random() % 30) / 10.0;
    options.top_k = static_cast<std::int64_t>(random() % 20);
    options.top_p = (1.0 + static_cast<double>(random() % 100)) / 100.0;
    std::vector<double> probabilities(vocabulary);
    token_probabilities(logits, {}, options, probabilities);
    EXPECT_NEAR(std::accumulate(probabilities.begin(), probabilities.end(), 0.0), 1.0, 1e-9);
    Sampler sampler(vocabulary);
    for (std::uint64_t i = 0; i < 40; ++i) {
      const std::int64_t token = sampler.draw(logits, options, uniform(trial, i));
      EXPECT_GT(probabilities[static_cast<std::size_t>(token)], 0.0);
    }
    options.top_k = 1;
    EXPECT_EQ(sampler.draw(logits, options, 0.999), Sampler::best(logits));
  }
}

TEST(LogSumExp, RefusesWhatIsNoNumber) {
  const float nan = std::nanf("");
  EXPECT_THROW(log_sum_exp(std::vector<float>{0.0F, nan}, "here"), BackendError);
  EXPECT_THROW(log_sum_exp(std::vector<float>{INFINITY, 0.0F}, "here"), BackendError);
  EXPECT_THROW(log_sum_exp(std::vector<float>{-INFINITY, -INFINITY}, "here"), BackendError);
  EXPECT_NEAR(log_sum_exp(std::vector<float>{-INFINITY, 3.0F}, "here"), 3.0, 1e-12);
}

/// What a Markov chain says next, with token 0 as the end.
struct Chain {
  explicit Chain(std::size_t count, std::mt19937& random) : vocabulary(count) {
    for (std::size_t token = 0; token <= count; ++token) {
      rows.push_back(random_logits(count, random));
      const auto sum = static_cast<float>(log_sum_exp(rows.back(), ""));
      for (float& value : rows.back()) value -= sum;
    }
  }
  std::span<const float> after(std::span<const std::int64_t> said) const {
    return said.empty() ? rows.back() : rows[static_cast<std::size_t>(said.back())];
  }
  std::size_t vocabulary;
  std::vector<std::vector<float>> rows;
};

/// The likeliest text of at most `left` more tokens, by trying all of them.
float likeliest(const Chain& chain, std::vector<std::int64_t>& said, std::size_t left,
                float score) {
  const bool ended = !said.empty() && said.back() == 0;
  if (ended || left == 0) return score;
  float best = -INFINITY;
  for (std::size_t token = 0; token < chain.vocabulary; ++token) {
    const float next = score + chain.after(said)[token];
    said.push_back(static_cast<std::int64_t>(token));
    best = std::max(best, likeliest(chain, said, left - 1, next));
    said.pop_back();
  }
  return best;
}

TEST(BeamSearch, FindsTheLikeliestTextWhereItsBeamsHoldAll) {
  std::mt19937 random(fresh_seed());
  for (int trial = 0; trial < 30; ++trial) {
    const Chain chain(3, random);
    constexpr std::size_t kMost = 3;
    constexpr std::size_t kBeams = 27;
    BeamSearch search(kBeams, 1, kMost);
    search.begin(kMost, 0.0);  // no penalty: the score is the log probability
    std::vector<char> is_end = {1, 0, 0};
    const std::vector<std::int64_t> none;
    for (std::size_t length = 0;; ++length) {
      for (std::size_t beam = 0; beam < kBeams; ++beam) {
        const auto row = length == 0 ? chain.after(none) : chain.after(search.tokens(beam));
        search.offer(beam, row, row);
      }
      if (!search.advance(is_end)) break;
    }
    std::vector<std::int64_t> said;
    EXPECT_NEAR(search.best().score, likeliest(chain, said, kMost, 0.0F), 1e-4F);
  }
}

/// A step whose new keys and values name their text, head and position.
class CountingStep final : public Executable {
 public:
  class Run final : public BoundRun {
   public:
    Run(std::span<const TensorView> inputs, std::span<const TensorView> outputs)
        : inputs_(inputs.begin(), inputs.end()), outputs_(outputs.begin(), outputs.end()) {}
    void run() override {
      const auto token = inputs_[0].as_span<std::int64_t>();
      const auto position = inputs_[1].as_span<std::int64_t>();
      for (std::size_t i = 1; i < outputs_.size(); ++i) {
        const auto values = outputs_[i].as_span<float>();
        const std::size_t row = values.size() / token.size();
        for (std::size_t j = 0; j < values.size(); ++j) {
          values[j] = static_cast<float>(1000 * token[j / row] + 10 * position[j / row]) +
                      static_cast<float>(i);
        }
      }
    }

   private:
    std::vector<TensorView> inputs_;
    std::vector<TensorView> outputs_;
  };
  std::unique_ptr<BoundRun> bind(std::span<const TensorView> inputs,
                                 std::span<const TensorView> outputs) override {
    cache_.assign(inputs.end() - 4, inputs.end());
    return std::make_unique<Run>(inputs, outputs);
  }
  /// The last layer's value of a text's head at a position.
  float cached(const GenerationDescription& described, std::int64_t text, std::int64_t head,
               std::int64_t position) const {
    const std::int64_t row = (text * described.heads + head) * described.max_length + position;
    return static_cast<const float*>(cache_.back().data)[row * described.head_size];
  }

 private:
  std::vector<TensorView> cache_;
};

TEST(GenerationLane, KeepsEachTextsCacheThroughReorderingAndAllocatesNothing) {
  GenerationDescription described;
  described.layers = 2;
  described.heads = 3;
  described.head_size = 5;
  described.max_length = 7;
  described.vocabulary = 4;
  const GraphDescription graph{.name = "step",
                               .role = GraphRole::kStep,
                               .inputs = step_inputs(described, {-1, 2, 3}, 1),
                               .outputs = step_outputs(described)};
  CountingStep step;
  GenerationLane lane(described, graph, step, 3);
  const Tensor memory(DType::kFloat32, Shape{2, 3});
  const std::vector<float> presence = {1.0F};
  const std::vector<std::size_t> parents = {2, 0, 2};
  const testing_support::AllocationCounter counter;
  lane.remember(memory.view(), presence);
  for (std::size_t position = 0; position < 4; ++position) {
    for (std::size_t text = 0; text < 3; ++text)
      lane.say(text, static_cast<std::int64_t>(text + 1));
    lane.step(position);
  }
  lane.reorder(parents, 4);
  EXPECT_EQ(counter.count(), 0U);
  for (std::int64_t text = 0; text < 3; ++text) {
    for (std::int64_t head = 0; head < 3; ++head) {
      for (std::int64_t position = 0; position < 4; ++position) {
        const auto origin = static_cast<float>(parents[static_cast<std::size_t>(text)] + 1);
        EXPECT_EQ(step.cached(described, text, head, position),
                  1000.0F * origin + 10.0F * static_cast<float>(position) + 4.0F);
      }
      EXPECT_EQ(step.cached(described, text, head, 4), 0.0F);
    }
  }
}

TEST(Sampler, AllocatesNothingPerToken) {
  std::mt19937 random(fresh_seed());
  std::vector<float> logits = random_logits(257, random);
  const std::vector<std::int64_t> said = {3, 5, 3};
  GenerationOptions options;
  options.temperature = 0.9;
  options.top_k = 40;
  options.top_p = 0.8;
  Sampler sampler(logits.size());
  BeamSearch search(4, 1, 9);
  const testing_support::AllocationCounter counter;
  sampler.penalize(logits, said, 1.2);
  for (std::uint64_t i = 0; i < 20; ++i) (void)sampler.draw(logits, options, uniform(1, i));
  search.begin(9, 1.0);
  for (std::size_t beam = 0; beam < 4; ++beam) search.offer(beam, logits, logits);
  EXPECT_EQ(counter.count(), 0U);
}

}  // namespace
}  // namespace plait::detail
