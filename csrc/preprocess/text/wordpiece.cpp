// wordpiece.cpp: WordPiece (Schuster and Nakajima, Japanese and Korean Voice Search, 2012), greedy
// longest match first; and WordLevel, whose words are tokens.
#include <nlohmann/json.hpp>

#include "base/quote.hpp"
#include "preprocess/text/model.hpp"
#include "preprocess/text/trie.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestWord = 1000;  // characters, of max_input_chars_per_word

TokenId required_unknown(const JsonReader& reader, const Vocabulary& vocabulary) {
  const std::string unknown = reader.field("unk_token").prose(kLongestSearched);
  const auto id = vocabulary.id_of(unknown);
  if (!id) reader.field("unk_token").fail("a token of the vocabulary", quote(unknown));
  return *id;
}

class WordPiece final : public TextModel {
 public:
  WordPiece(const json& section, const std::string& where) : TextModel(where) {
    const JsonReader reader(section, where, "model");
    vocabulary_ = read_vocabulary(reader.field("vocab"), section["vocab"], kLongestSearched);
    unknown_ = required_unknown(reader, vocabulary_);
    const bool limited = section.contains("max_input_chars_per_word");
    longest_word_ = limited ? static_cast<std::size_t>(
                                  reader.field("max_input_chars_per_word").integer(0, kLongestWord))
                            : 100;
    const bool prefixed = section.contains("continuing_subword_prefix");
    const std::string prefix =
        prefixed ? text_or_none(reader, section, "continuing_subword_prefix") : "##";
    for (const auto& [token, id] : section["vocab"].items()) {
      const auto number = static_cast<TokenId>(id.get<std::uint64_t>());
      if (!token.empty()) first_.add(token, number);
      if (token.size() > prefix.size() && token.starts_with(prefix)) {
        following_.add(std::string_view(token).substr(prefix.size()), number);
      }
    }
  }

  void tokenize(std::string_view word, ModelScratch&, std::vector<TokenId>& ids) const override {
    const std::size_t before = ids.size();
    bool known = characters(word) <= longest_word_;
    for (std::size_t begin = 0; known && begin < word.size();) {
      const Trie& pieces = begin == 0 ? first_ : following_;
      std::uint32_t node = 0;
      std::size_t end_of_best = begin;
      TokenId best = 0;
      for (std::size_t end = begin; end < word.size();) {
        node = pieces.step(node, word[end++]);
        if (node == Trie::kNone) break;
        if (pieces.value(node) == Trie::kNone) continue;
        best = pieces.value(node);
        end_of_best = end;
      }
      known = end_of_best > begin;
      if (known) ids.push_back(best);
      begin = end_of_best;
    }
    if (known) return;
    ids.resize(before);
    ids.push_back(unknown_);
  }

 private:
  static std::size_t characters(std::string_view word) noexcept {
    std::size_t count = 0;
    for (std::size_t position = 0; position < word.size();
         position += utf8_length(word[position])) {
      ++count;
    }
    return count;
  }

  Trie first_;
  Trie following_;
  TokenId unknown_ = 0;
  std::size_t longest_word_ = 0;
};

class WordLevel final : public TextModel {
 public:
  WordLevel(const json& section, const std::string& where) : TextModel(where) {
    const JsonReader reader(section, where, "model");
    vocabulary_ = read_vocabulary(reader.field("vocab"), section["vocab"], kLongestSearched);
    unknown_ = vocabulary_.id_of(text_or_none(reader, section, "unk_token"));
  }

  void tokenize(std::string_view word, ModelScratch&, std::vector<TokenId>& ids) const override {
    const auto id = vocabulary_.id_of(word);
    if (!id && !unknown_) refuse_unknown(word);
    ids.push_back(id ? *id : *unknown_);
  }

 private:
  std::optional<TokenId> unknown_;
};

}  // namespace

std::unique_ptr<TextModel> make_wordpiece(const json& section, const std::string& where) {
  return std::make_unique<WordPiece>(section, where);
}

std::unique_ptr<TextModel> make_word_level(const json& section, const std::string& where) {
  return std::make_unique<WordLevel>(section, where);
}

}  // namespace plait::detail
