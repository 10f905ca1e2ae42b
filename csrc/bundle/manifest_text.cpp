// manifest_text.cpp: the section of a modality of kind "text".
#include <algorithm>

#include "bundle/manifest.hpp"
#include "bundle/manifest_kinds.hpp"

namespace plait::detail {
namespace {

constexpr std::int64_t kMaxTokens = 1 << 20;
constexpr std::int64_t kMaxId = (1 << 22) - 1;
constexpr std::size_t kMaxPrompts = 100'000;
constexpr std::size_t kMaxPrompt = 4096;  // bytes
constexpr std::size_t kMaxMember = 512;
constexpr std::int64_t kMaxRow = 1 << 24;  // values of one embedding

/// true for "left".
bool is_left(const JsonReader& reader) {
  return reader.choice<bool>({{"right", false}, {"left", true}});
}

void parse_bank(const JsonReader& reader, TextDescription& text) {
  text.bank = reader.field("member").text(kMaxMember);
  const JsonReader embedding = reader.field("embedding");
  std::int64_t values = 1;
  for (const JsonReader& side : embedding.elements(1, kMaxRank - 1)) {
    text.bank_embedding.push_back(side.integer(1, kMaxRow));
    values *= text.bank_embedding.back();
    if (values > kMaxRow) embedding.fail("an embedding of at most 2^24 values");
  }
  for (const JsonReader& prompt : reader.field("prompts").elements(1, kMaxPrompts)) {
    text.prompts.push_back(prompt.prose(kMaxPrompt));
  }
  std::vector<std::string> sorted = text.prompts;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    reader.field("prompts").fail("each prompt once", quote(*twice) + " twice");
  }
}

}  // namespace

TextDescription parse_text(const JsonReader& reader) {
  TextDescription text;
  text.tokenizer = reader.field("tokenizer").text(kMaxMember);
  text.tokens = reader.field("tokens").integer(1, kMaxTokens);
  text.mask = reader.field("mask").boolean();
  text.special_tokens = reader.field("special_tokens").boolean();
  text.truncate_left = is_left(reader.field("truncation"));
  const JsonReader padding = reader.field("padding");
  text.pad_left = is_left(padding.field("side"));
  text.pad_id = padding.field("id").integer(0, kMaxId);
  if (const auto bank = reader.optional_field("bank")) parse_bank(*bank, text);
  return text;
}

std::vector<std::int64_t> input_shape(const TextDescription& text) {
  if (text.mask) return {-1, 2, text.tokens};
  return {-1, text.tokens};
}

}  // namespace plait::detail
