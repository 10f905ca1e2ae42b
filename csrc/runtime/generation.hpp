// generation.hpp: the memory behind a Generator, and how a text is made.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "plait/generation.hpp"
#include "plait/model.hpp"
#include "plait/tokenizer.hpp"
#include "runtime/beam_search.hpp"
#include "runtime/generation_lane.hpp"
#include "runtime/sampling.hpp"

namespace plait {

/// The bundle's defaults as options.
GenerationOptions options_of(const GenerationDefaults& defaults);

class GeneratorImpl {
 public:
  /// What a head of kind generation runs with. The model keeps all of it.
  struct Head {
    std::string where;  // begins error messages
    const HeadDescription* description = nullptr;
    const GraphDescription* graph = nullptr;  // the step's
    detail::Executable* step = nullptr;
    const Tokenizer* tokenizer = nullptr;  // nullptr: labels name the tokens
  };

  GeneratorImpl(std::shared_ptr<const ModelImpl> model, Head head);

  void generate(const Result& result, const Prompt& prompt, const GenerationOptions& options,
                GeneratedText& out, const OnToken& on_token);

 private:
  const GenerationDescription& described() const { return head_.description->generation; }
  detail::GenerationLane& lane_of(std::size_t beams);
  void remember(const Result& result, detail::GenerationLane& lane);
  void read(const Prompt& prompt);
  std::size_t room(const GenerationOptions& options) const;
  void mark_ends(const GenerationOptions& options, bool mark);
  void say_prompt(detail::GenerationLane& lane, std::size_t texts);
  void follow(detail::GenerationLane& lane, const GenerationOptions& options, std::size_t most,
              GeneratedText& out, const OnToken& on_token);
  bool tell(const GenerationOptions& options, GeneratedText& out, const OnToken& on_token);
  void search(detail::GenerationLane& lane, const GenerationOptions& options, std::size_t most,
              GeneratedText& out);
  std::string text_of(const std::vector<std::int64_t>& tokens);

  std::shared_ptr<const ModelImpl> model_;
  Head head_;
  detail::Sampler sampler_;
  std::map<std::size_t, std::unique_ptr<detail::GenerationLane>> lanes_;  // by beams
  std::optional<detail::BeamSearch> beams_;
  std::size_t beams_of_search_ = 0;
  std::size_t ends_of_search_ = 0;
  std::vector<std::int64_t> said_;  // start, prompt and text
  std::vector<float> processed_;    // logits after penalties
  std::vector<float> raw_;          // log probabilities before them
  std::vector<float> presence_;
  std::vector<char> is_end_;        // per token of the vocabulary
  std::vector<std::uint32_t> ids_;  // for the tokenizer
  TokenizerScratch scratch_;
  std::string told_;  // what callbacks have been given
};

}  // namespace plait
