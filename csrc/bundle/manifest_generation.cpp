// manifest_generation.cpp: reads the section of a head of kind "generation".
#include "bundle/manifest_generation.hpp"

namespace plait::detail {
namespace {

constexpr std::int64_t kMaxSide = 65536;
constexpr std::int64_t kMaxVocabulary = 1 << 22;
constexpr std::size_t kMaxSpecial = 256;
constexpr std::size_t kMaxMember = 512;
constexpr std::int64_t kMaxBeams = 64;
constexpr double kMaxFactor = 1e6;

std::vector<std::int64_t> tokens(const JsonReader& list, std::size_t min, std::int64_t vocabulary) {
  std::vector<std::int64_t> ids;
  for (const JsonReader& id : list.elements(min, kMaxSpecial)) {
    ids.push_back(id.integer(0, vocabulary - 1));
  }
  return ids;
}

GenerationDefaults parse_defaults(const JsonReader& reader, std::int64_t max_length) {
  GenerationDefaults defaults;
  defaults.max_tokens = reader.field("max_tokens").integer(1, max_length);
  defaults.temperature = reader.field("temperature").number(0.0, kMaxFactor);
  defaults.top_k = reader.field("top_k").integer(0, kMaxVocabulary);
  defaults.top_p = reader.field("top_p").positive(1.0);
  defaults.repetition_penalty = reader.field("repetition_penalty").positive(kMaxFactor);
  defaults.beams = reader.field("beams").integer(1, kMaxBeams);
  defaults.length_penalty = reader.field("length_penalty").number(-kMaxFactor, kMaxFactor);
  return defaults;
}

std::string numbered(const char* name, std::int64_t index) {
  return std::string(name) + "_" + std::to_string(index);
}

}  // namespace

GenerationDescription parse_generation(const JsonReader& reader) {
  GenerationDescription described;
  described.step = reader.field("step").identifier();
  described.layers = reader.field("layers").integer(1, kMaxLayers);
  described.heads = reader.field("heads").integer(1, kMaxSide);
  described.head_size = reader.field("head_size").integer(1, kMaxSide);
  described.max_length = reader.field("max_length").integer(1, kMaxSide);
  described.vocabulary = reader.field("vocabulary").integer(2, kMaxVocabulary);
  described.start = tokens(reader.field("start"), 1, described.vocabulary);
  described.end = tokens(reader.field("end"), 0, described.vocabulary);
  described.pad = reader.field("pad").integer(0, described.vocabulary - 1);
  if (const auto tokenizer = reader.optional_field("tokenizer")) {
    described.tokenizer = tokenizer->text(kMaxMember);
  }
  described.defaults = parse_defaults(reader.field("defaults"), described.max_length);
  if (described.start.size() > static_cast<std::size_t>(described.max_length)) {
    reader.field("start").fail("at most max_length tokens");
  }
  return described;
}

std::vector<TensorDescription> step_inputs(const GenerationDescription& described,
                                           const std::vector<std::int64_t>& memory,
                                           std::size_t modalities) {
  std::vector<TensorDescription> inputs = {
      {"token", DType::kInt64, {-1, 1}},
      {"position", DType::kInt64, {-1, 1}},
      {"presence", DType::kFloat32, {-1, static_cast<std::int64_t>(modalities)}},
  };
  std::vector<std::int64_t> part = {-1};
  part.insert(part.end(), memory.begin() + 2, memory.end());
  for (std::int64_t i = 0; i < memory[1]; ++i) {
    inputs.push_back({numbered("memory", i), DType::kFloat32, part});
  }
  const std::vector<std::int64_t> cache = {-1, described.heads, described.max_length,
                                           described.head_size};
  for (std::int64_t i = 0; i < described.layers; ++i) {
    inputs.push_back({numbered("key", i), DType::kFloat32, cache});
    inputs.push_back({numbered("value", i), DType::kFloat32, cache});
  }
  return inputs;
}

std::vector<TensorDescription> step_outputs(const GenerationDescription& described) {
  std::vector<TensorDescription> outputs = {
      {"logits", DType::kFloat32, {-1, described.vocabulary}}};
  const std::vector<std::int64_t> entry = {-1, described.heads, described.head_size};
  for (std::int64_t i = 0; i < described.layers; ++i) {
    outputs.push_back({numbered("new_key", i), DType::kFloat32, entry});
    outputs.push_back({numbered("new_value", i), DType::kFloat32, entry});
  }
  return outputs;
}

}  // namespace plait::detail
