// charsmap.hpp: SentencePiece's precompiled character map, a double-array trie over UTF-8.
//
// Source of the format: google/sentencepiece, normalizer.cc, and s-yata/darts-clone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plait::detail {

/// Immutable, so thread-safe.
class Charsmap {
 public:
  /// base64: as tokenizer.json holds it. Throws BundleError, naming where.
  Charsmap(std::string_view base64, const std::string& where);

  /// Appends text with every grapheme, or else every character, replaced as the map says.
  void append(std::string_view text, std::string& out) const;

 private:
  /// What stands for the shortest beginning of text that the map holds.
  std::optional<std::string_view> find(std::string_view text) const noexcept;

  std::vector<std::uint32_t> units_;
  std::string replacements_;  // each ends with a zero
};

}  // namespace plait::detail
