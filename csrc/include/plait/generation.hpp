// plait/generation.hpp: text from a head of kind "generation": token by token, from its memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/export.hpp"
#include "plait/manifest.hpp"

namespace plait {

class Result;

/// How tokens are chosen. Model::generation_options(head) gives those the bundle states.
///
/// temperature 0 takes the most likely token (greedy) or, with beams above 1, searches by beams;
/// above 0 a token is drawn. The steps are those of transformers, in its order: repetition_penalty,
/// temperature, top_k, top_p.
struct PLAIT_API GenerationOptions {
  std::int64_t max_tokens = 0;      ///< after the prompt; 0: as many as the cache holds
  double temperature = 0.0;         ///< logits are divided by it
  std::int64_t top_k = 0;           ///< only the most likely so many; 0: all
  double top_p = 1.0;               ///< only the fewest that are as likely together
  double repetition_penalty = 1.0;  ///< above 1: what was said already is less likely
  std::int64_t beams = 1;           ///< texts searched side by side
  double length_penalty = 1.0;      ///< of beams: log probability / length^length_penalty counts
  std::uint64_t seed = 0;           ///< of what is drawn: the same seed, the same text
  std::vector<std::string> stop{};  ///< texts that end the text, and are cut off it
  std::vector<std::int64_t> stop_tokens{};  ///< tokens that end it, besides the bundle's

  /// Throws ConfigError for values that make no sense.
  void validate() const;
};

/// What comes before the first token: a text for the head's tokenizer, or token ids, or neither.
/// The head's own start tokens are put in front.
struct Prompt {
  std::string_view text{};
  std::span<const std::int64_t> tokens{};
};

/// Why a text ended.
enum class StoppedBy : std::uint8_t { kEnd, kStop, kMaxTokens, kCallback };

/// "end", "stop", "max_tokens" or "callback".
PLAIT_API std::string_view name_of(StoppedBy stopped_by) noexcept;

/// One token as it is said. text is what it adds to the text, empty while a character is unfinished
/// or may begin a stop text.
struct SaidToken {
  std::int64_t id = 0;
  float score = 0.0F;
  std::string_view text{};
};

/// false ends the text.
using OnToken = std::function<bool(const SaidToken&)>;

/// A generated text. Memory is kept from one to the next.
struct PLAIT_API GeneratedText {
  std::string text;                  ///< without prompt and special tokens
  std::vector<std::int64_t> tokens;  ///< without prompt and what ended it
  std::vector<float> scores;         ///< per token its log probability, before all options
  StoppedBy stopped_by = StoppedBy::kEnd;
  std::chrono::nanoseconds duration{0};  ///< of all steps
};

class GeneratorImpl;
class ModelImpl;

/// Generates texts of one head: Model::generator makes it. Holds the cache of keys and values,
/// bound once for each number of beams. Movable. Not thread-safe: one a thread; several share the
/// model.
///
/// Once warm nothing is allocated for a token, except to decode text for a callback or stop texts.
class PLAIT_API Generator {
 public:
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;
  ~Generator();

  /// A text that rests on a result of the same bundle's run() or fuse(), into out. Blocks.
  /// Callbacks and stop texts are for one beam only. Throws SampleError for a prompt that is empty,
  /// unknown or too long and where none of the head's modalities was present, ConfigError for
  /// options that make no sense or do not fit the cache, BackendError where a graph fails or
  /// answers NaN. out is then unspecified.
  void generate(const Result& result, const Prompt& prompt, const GenerationOptions& options,
                GeneratedText& out, const OnToken& on_token = {});

 private:
  friend class Model;
  explicit Generator(std::unique_ptr<GeneratorImpl> impl) noexcept;
  std::unique_ptr<GeneratorImpl> impl_;
};

/// The probability of each token after temperature, top_k, top_p and the repetition_penalty of
/// previous; 0 for those that can't be drawn. probabilities is as long as logits. Throws
/// ConfigError for options that make no sense (temperature 0 is none), BackendError for logits with
/// NaN.
PLAIT_API void token_probabilities(std::span<const float> logits,
                                   std::span<const std::int64_t> previous,
                                   const GenerationOptions& options,
                                   std::span<double> probabilities);

}  // namespace plait
