// added_tokens.hpp: tokens that are found in a text before anything is cut: <|endoftext|>, [MASK].
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/json_reader.hpp"
#include "preprocess/text/normalizer.hpp"
#include "preprocess/text/trie.hpp"
#include "preprocess/text/vocabulary.hpp"

namespace plait::detail {

struct AddedToken {
  std::string content;
  std::string shown;  ///< in decoded texts: the content, or its normal form where normalized
  TokenId id = 0;
  bool special = false;
  bool single_word = false;  ///< only where no word character stands beside it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;
  bool normalized = false;  ///< looked for after normalization, in its own normal form
};

/// A stretch of a text that is an added token, or (no id) is none.
struct Segment {
  std::size_t begin;
  std::size_t end;
  std::optional<TokenId> id;
};

/// Immutable after construction, so thread-safe.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// Reads the section "added_tokens". Throws BundleError, also where an id is not the one that
  /// `tokenizers` would give.
  AddedTokens(const JsonReader& section, const Vocabulary& vocabulary,
              const Normalizers& normalizers);

  /// Replaces segments by the whole of the text, cut at the longest leftmost added tokens of those
  /// that are (not) to be looked for after normalization.
  void find(std::string_view text, bool normalized, std::vector<Segment>& segments) const;

  std::optional<TokenId> id_of(std::string_view content) const;
  /// nullptr where no added token has the id.
  const AddedToken* token_of(TokenId id) const;
  /// As `tokenizers` decides it, by content.
  bool is_special(std::string_view content) const;
  bool empty(bool normalized) const noexcept { return none_[normalized ? 1 : 0]; }
  /// One more than the highest id; 0 where there are none.
  std::size_t end_of_ids() const noexcept { return end_of_ids_; }
  /// Added tokens that the model's vocabulary lacks.
  std::size_t extra() const noexcept { return extra_; }

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string, std::size_t> by_content_;
  std::unordered_map<TokenId, std::size_t> by_id_;
  std::unordered_set<std::string> special_;
  std::array<Trie, 2> tries_;  // of index into tokens_; found as written, and after normalization
  std::array<bool, 2> none_{true, true};
  std::size_t end_of_ids_ = 0;
  std::size_t extra_ = 0;
};

}  // namespace plait::detail
