// vocabulary.hpp: tokens and their ids, both ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plait::detail {

using TokenId = std::uint32_t;

/// A hash of bytes, 64 bits, the same on every machine.
std::uint64_t hash_of(std::string_view bytes) noexcept;

/// Open addressing over one block of text. Filled once, then immutable and thread-safe.
class Vocabulary {
 public:
  /// Room for this many tokens; grows by itself.
  explicit Vocabulary(std::size_t tokens = 0);

  /// False where the token is there already (its id stays).
  bool add(std::string_view token, TokenId id);
  std::optional<TokenId> id_of(std::string_view token) const noexcept;
  /// Empty optional where no token has the id.
  std::optional<std::string_view> token_of(TokenId id) const noexcept;
  /// Tokens there are.
  std::size_t size() const noexcept { return entries_.size(); }
  std::size_t longest() const noexcept { return longest_; }

 private:
  struct Entry {
    std::uint64_t hash;
    std::size_t begin;
    std::uint32_t bytes;
    TokenId id;
  };

  std::string_view text_of(const Entry& entry) const noexcept {
    return std::string_view(text_).substr(entry.begin, entry.bytes);
  }
  void rehash(std::size_t slots);

  std::string text_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // 1 + index into entries_; 0 where empty
  std::vector<std::uint32_t> by_id_;  // the same
  std::size_t longest_ = 0;
};

}  // namespace plait::detail
