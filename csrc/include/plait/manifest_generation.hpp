// plait/manifest_generation.hpp: what a bundle says of a head of kind "generation", as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace plait {

/// How tokens are chosen, where the caller says nothing else: GenerationOptions.
struct GenerationDefaults {
  std::int64_t max_tokens = 0;
  double temperature = 0.0;
  std::int64_t top_k = 0;
  double top_p = 1.0;
  double repetition_penalty = 1.0;
  std::int64_t beams = 1;
  double length_penalty = 1.0;
};

/// What a head of kind generation says tokens with. Its graph is the memory: what every token may
/// look at, [batch, parts, ...], computed once. The step graph takes token and position, int64
/// [batch, 1], presence, memory_0 to memory_{parts-1}, and key_i and value_i of each layer,
/// [batch, heads, max_length, head_size], of which those before the position count. It answers
/// logits [batch, vocabulary], and new_key_i and new_value_i, [batch, heads, head_size].
struct GenerationDescription {
  std::string step;  ///< name of a graph
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t head_size = 0;
  std::int64_t max_length = 0;  ///< tokens the cache holds, the start's and the prompt's included
  std::int64_t vocabulary = 0;
  std::vector<std::int64_t> start;  ///< tokens before the prompt; at least one
  std::vector<std::int64_t> end;    ///< each ends the text
  std::int64_t pad = 0;
  std::string tokenizer;  ///< member: a tokenizer.json; or empty: labels name the tokens
  GenerationDefaults defaults;
};

}  // namespace plait
