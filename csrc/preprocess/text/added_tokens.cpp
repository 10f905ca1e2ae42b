// added_tokens.cpp: reading and finding added tokens.
#include "preprocess/text/added_tokens.hpp"

#include <algorithm>

#include "base/quote.hpp"
#include "preprocess/text/matcher.hpp"
#include "preprocess/text/model.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

AddedToken read_token(const JsonReader& reader) {
  AddedToken token;
  token.content = reader.field("content").prose(kLongestSearched);
  token.id = static_cast<TokenId>(
      reader.field("id").integer(0, static_cast<std::int64_t>(kMostTokens) - 1));
  token.special = reader.field("special").boolean();
  token.single_word = reader.field("single_word").boolean();
  token.lstrip = reader.field("lstrip").boolean();
  token.rstrip = reader.field("rstrip").boolean();
  token.normalized = reader.field("normalized").boolean();
  return token;
}

bool word_before(std::string_view text, std::size_t end) noexcept {
  std::size_t start = 0;
  return end > 0 && is_word_character(previous_code_point(text, end, start));
}

bool word_after(std::string_view text, std::size_t begin) noexcept {
  return begin < text.size() && is_word_character(next_code_point(text, begin));
}

std::size_t without_space_before(std::string_view text, std::size_t end) noexcept {
  for (std::size_t start = 0; end > 0; end = start) {
    if (!is_white_space(previous_code_point(text, end, start))) break;
  }
  return end;
}

std::size_t without_space_after(std::string_view text, std::size_t begin) noexcept {
  for (std::size_t next = begin; begin < text.size(); begin = next) {
    if (!is_white_space(next_code_point(text, next))) break;
  }
  return begin;
}

}  // namespace

AddedTokens::AddedTokens(const JsonReader& section, const Vocabulary& vocabulary,
                         const Normalizers& normalizers) {
  constexpr std::size_t kMost = 100'000;
  NormalizedText normal;
  for (const JsonReader& reader : section.elements(0, kMost)) {
    AddedToken token = read_token(reader);
    if (token.content.empty()) continue;
    if (by_content_.contains(token.content)) {
      reader.fail("each added token once", quote(token.content) + " twice");
    }
    const std::optional<TokenId> known = vocabulary.id_of(token.content);
    const auto next = static_cast<TokenId>(std::max(vocabulary.size(), end_of_ids_));
    if (token.id != known.value_or(next)) {
      reader.field("id").fail(std::to_string(known.value_or(next)) + ", which `tokenizers` gives " +
                                  quote(token.content),
                              std::to_string(token.id),
                              "Load the tokenizer in Python and save it again.");
    }
    if (by_id_.contains(token.id) || (!known && vocabulary.token_of(token.id))) {
      reader.field("id").fail("an id of its own", std::to_string(token.id));
    }
    const std::size_t index = tokens_.size();
    const std::size_t trie = token.normalized ? 1 : 0;
    normal.text = token.content;
    if (token.normalized) {
      for (const auto& normalizer : normalizers) normalizer->apply(normal);
    }
    token.shown = normal.text;
    if (!normal.text.empty()) tries_[trie].add(normal.text, static_cast<std::uint32_t>(index));
    none_[trie] = none_[trie] && normal.text.empty();
    by_content_[token.content] = index;
    by_id_[token.id] = index;
    if (token.special) special_.insert(token.content);
    if (!known) ++extra_;
    end_of_ids_ = std::max(end_of_ids_, std::size_t{token.id} + 1);
    tokens_.push_back(std::move(token));
  }
}

void AddedTokens::find(std::string_view text, bool normalized,
                       std::vector<Segment>& segments) const {
  segments.clear();
  const Trie& trie = tries_[normalized ? 1 : 0];
  std::size_t covered = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    if (!trie.starts(text[begin])) {
      ++begin;
      continue;
    }
    std::size_t end_of_best = begin;
    std::uint32_t best = Trie::kNone;
    std::uint32_t node = 0;
    for (std::size_t end = begin; end < text.size();) {
      node = trie.step(node, text[end++]);
      if (node == Trie::kNone) break;
      if (trie.value(node) == Trie::kNone) continue;
      best = trie.value(node);
      end_of_best = end;
    }
    if (best == Trie::kNone) {
      ++begin;
      continue;
    }
    const AddedToken& token = tokens_[best];
    const std::size_t start = begin;
    begin = end_of_best;
    if (token.single_word && (word_before(text, start) || word_after(text, end_of_best))) continue;
    const std::size_t from =
        token.lstrip ? std::max(without_space_before(text, start), covered) : start;
    const std::size_t to = token.rstrip ? without_space_after(text, end_of_best) : end_of_best;
    if (covered < from) segments.push_back({covered, from, std::nullopt});
    segments.push_back({from, to, token.id});
    covered = to;
  }
  if (covered != text.size()) segments.push_back({covered, text.size(), std::nullopt});
}

std::optional<TokenId> AddedTokens::id_of(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  if (found == by_content_.end()) return std::nullopt;
  return tokens_[found->second].id;
}

const AddedToken* AddedTokens::token_of(TokenId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

bool AddedTokens::is_special(std::string_view content) const {
  return special_.contains(std::string(content));
}

}  // namespace plait::detail
