// post_processor.cpp: reading the post-processors of `tokenizers`.
#include "preprocess/text/post_processor.hpp"

#include <array>

#include "base/quote.hpp"
#include "preprocess/text/model.hpp"

namespace plait::detail {
namespace {

constexpr std::size_t kMost = 64;

TokenId id_in(const JsonReader& reader) {
  return static_cast<TokenId>(reader.integer(0, static_cast<std::int64_t>(kMostTokens) - 1));
}

/// ["[SEP]", 102]
TokenId id_of_pair(const JsonReader& reader) { return id_in(reader.elements(2, 2)[1]); }

void read_template(const JsonReader& section, SpecialTokens& tokens) {
  const JsonReader single = section.field("single");
  bool seen = false;
  for (const JsonReader& piece : single.elements(1, kMost)) {
    if (const auto sequence = piece.optional_field("Sequence")) {
      if (seen || sequence->field("id").text() != "A") {
        piece.fail("the text $A once in the template of a single text");
      }
      seen = true;
      continue;
    }
    const std::string name = piece.field("SpecialToken").field("id").prose(kLongestSearched);
    const JsonReader special = section.field("special_tokens").field(name.c_str());
    for (const JsonReader& id : special.field("ids").elements(0, kMost)) {
      (seen ? tokens.after : tokens.before).push_back(id_in(id));
    }
  }
  if (!seen) single.fail("the text $A in the template of a single text");
}

void read(const JsonReader& section, SpecialTokens& tokens) {
  const JsonReader type = section.field("type");
  const std::string name = type.text();
  if (name == "ByteLevel") return;  // concerns offsets only
  if (name == "Sequence") {
    for (const JsonReader& part : section.field("processors").elements(0, kMost)) {
      if (tokens.count() > 0 && part.field("type").text() != "ByteLevel") {
        part.fail("at most one post-processor that adds tokens");
      }
      read(part, tokens);
    }
  } else if (name == "TemplateProcessing") {
    read_template(section, tokens);
  } else if (name == "BertProcessing" || name == "RobertaProcessing") {
    tokens.before.push_back(id_of_pair(section.field("cls")));
    tokens.after.push_back(id_of_pair(section.field("sep")));
  } else {
    constexpr std::array<std::string_view, 5> kKnown = {
        "BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"};
    type.fail("a post-processor this library has: " + one_of(kKnown), quote(name),
              "Use a tokenizer with one of these.");
  }
}

}  // namespace

SpecialTokens read_post_processor(const JsonReader& section) {
  SpecialTokens tokens;
  read(section, tokens);
  return tokens;
}

}  // namespace plait::detail
