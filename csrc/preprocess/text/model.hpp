// model.hpp: the part of a tokenizer that cuts words into tokens of its vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_reader.hpp"
#include "preprocess/text/vocabulary.hpp"

namespace plait::detail {

/// A part of a word under byte-pair encoding: token, neighbours, whether it was merged away.
struct BpeSymbol {
  TokenId id;
  std::int32_t previous;
  std::int32_t next;
  bool alive;
};

/// A pair that may be merged: the least rank first, of equals the leftmost.
struct BpeMerge {
  std::uint32_t rank;
  std::int32_t position;
  TokenId merged;
};

/// The best way to reach a place of a text under a unigram model.
struct UnigramNode {
  double score;
  TokenId id;
  std::int64_t begin;  ///< of the last piece; -1 where nothing ends here
};

/// Working memory of a model, kept from word to word.
struct ModelScratch {
  std::string text;
  std::vector<BpeSymbol> symbols;
  std::vector<BpeMerge> merges;
  std::vector<UnigramNode> nodes;
  std::vector<std::pair<std::size_t, std::size_t>> pieces;
};

/// Immutable, so thread-safe with a scratch a thread.
class TextModel {
 public:
  explicit TextModel(std::string where) : where_(std::move(where)) {}
  virtual ~TextModel() = default;
  TextModel(const TextModel&) = delete;
  TextModel& operator=(const TextModel&) = delete;

  /// Appends the ids of a word: valid UTF-8, not empty. Throws SampleError where the vocabulary
  /// lacks a character and has no token for the unknown.
  virtual void tokenize(std::string_view word, ModelScratch& scratch,
                        std::vector<TokenId>& ids) const = 0;

  const Vocabulary& vocabulary() const noexcept { return vocabulary_; }

 protected:
  /// The id of a token that has to be there; throws SampleError.
  [[noreturn]] void refuse_unknown(std::string_view word) const;

  Vocabulary vocabulary_;
  std::string where_;
};

/// Each reads the section "model" of a tokenizer.json. Throws BundleError.
std::unique_ptr<TextModel> make_model(const nlohmann::json& section, const std::string& where);
std::unique_ptr<TextModel> make_bpe(const nlohmann::json& section, const std::string& where);
std::unique_ptr<TextModel> make_wordpiece(const nlohmann::json& section, const std::string& where);
std::unique_ptr<TextModel> make_word_level(const nlohmann::json& section, const std::string& where);
std::unique_ptr<TextModel> make_unigram(const nlohmann::json& section, const std::string& where);

inline constexpr std::size_t kMostTokens = std::size_t{1} << 22U;
/// Of tokens that are searched for at every place of a text.
inline constexpr std::size_t kLongestSearched = 1024;

/// Reads {"token": id, ...} into a vocabulary. Throws BundleError.
Vocabulary read_vocabulary(const JsonReader& reader, const nlohmann::json& value,
                           std::size_t longest);
/// A text that may be absent or null: then "".
std::string text_or_none(const JsonReader& reader, const nlohmann::json& section, const char* key);
/// true or false, with a default where absent or null.
bool flag(const JsonReader& reader, const nlohmann::json& section, const char* key, bool otherwise);
/// "<0x0A>"
std::string byte_token(unsigned char byte);

}  // namespace plait::detail
