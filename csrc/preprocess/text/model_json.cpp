// model_json.cpp: which model a tokenizer.json holds, and what the models read alike.
#include <array>
#include <nlohmann/json.hpp>

#include "base/quote.hpp"
#include "plait/error.hpp"
#include "preprocess/text/model.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

using nlohmann::json;

/// Files written before 2021 do not name their model.
std::string type_of(const json& section, const JsonReader& reader) {
  if (const auto type = reader.optional_field("type")) return type->text();
  if (section.contains("merges")) return "BPE";
  if (section.contains("vocab") && section["vocab"].is_array()) return "Unigram";
  if (section.contains("max_input_chars_per_word")) return "WordPiece";
  return "WordLevel";
}

}  // namespace

void TextModel::refuse_unknown(std::string_view word) const {
  throw SampleError({.where = where_,
                     .expected = "characters of the vocabulary, which has no token for others",
                     .got = quote(word),
                     .action = "Use a tokenizer with an unknown token."});
}

std::unique_ptr<TextModel> make_model(const json& section, const std::string& where) {
  const JsonReader reader(section, where, "model");
  const std::string type = type_of(section, reader);
  if (type == "BPE") return make_bpe(section, where);
  if (type == "WordPiece") return make_wordpiece(section, where);
  if (type == "Unigram") return make_unigram(section, where);
  if (type == "WordLevel") return make_word_level(section, where);
  reader.fail(one_of(std::array<std::string_view, 4>{"BPE", "WordPiece", "Unigram", "WordLevel"}),
              quote(type), "Use a tokenizer with one of these models.");
}

Vocabulary read_vocabulary(const JsonReader& reader, const json& value, std::size_t longest) {
  if (!value.is_object()) reader.fail("an object of tokens and ids");
  if (value.size() > kMostTokens) {
    reader.fail("at most " + std::to_string(kMostTokens) + " tokens", std::to_string(value.size()));
  }
  Vocabulary vocabulary(value.size());
  for (const auto& [token, id] : value.items()) {
    if (token.size() > longest) {
      reader.fail("tokens of at most " + std::to_string(longest) + " bytes",
                  quote(token) + " of " + std::to_string(token.size()));
    }
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMostTokens) {
      reader.fail("an id from 0 to " + std::to_string(kMostTokens - 1) + " for " + quote(token),
                  quote(id.dump()));
    }
    const auto number = static_cast<TokenId>(id.get<std::uint64_t>());
    if (vocabulary.token_of(number)) {
      reader.fail("each id once", std::to_string(number) + " for " +
                                      quote(*vocabulary.token_of(number)) + " and " + quote(token));
    }
    vocabulary.add(token, number);
  }
  return vocabulary;
}

std::string text_or_none(const JsonReader& reader, const json& section, const char* key) {
  if (!section.contains(key) || section[key].is_null()) return "";
  return reader.field(key).prose(kLongestSearched);
}

bool flag(const JsonReader& reader, const json& section, const char* key, bool otherwise) {
  if (!section.contains(key) || section[key].is_null()) return otherwise;
  return reader.field(key).boolean();
}

std::string byte_token(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4U], kDigits[byte & 15U], '>'};
}

}  // namespace plait::detail
