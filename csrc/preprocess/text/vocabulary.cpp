// vocabulary.cpp: a hash table of tokens.
#include "preprocess/text/vocabulary.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace plait::detail {

std::uint64_t hash_of(std::string_view bytes) noexcept {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
  std::uint64_t hash = bytes.size() * kOdd;
  std::size_t position = 0;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kOdd;
    hash ^= hash >> 32U;
  };
  for (; position + 8 <= bytes.size(); position += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + position, 8);
    mix(word);
  }
  std::uint64_t word = 0;
  if (position < bytes.size()) {
    std::memcpy(&word, bytes.data() + position, bytes.size() - position);
  }
  mix(word);
  return hash;
}

Vocabulary::Vocabulary(std::size_t tokens) {
  entries_.reserve(tokens);
  rehash(std::bit_ceil(std::max<std::size_t>(tokens * 2, 16)));
}

void Vocabulary::rehash(std::size_t slots) {
  slots_.assign(slots, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t slot = entries_[i].hash & (slots - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots - 1);
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

bool Vocabulary::add(std::string_view token, TokenId id) {
  if (id_of(token)) return false;
  if ((entries_.size() + 1) * 2 > slots_.size()) rehash(slots_.size() * 2);
  const Entry entry{hash_of(token), text_.size(), static_cast<std::uint32_t>(token.size()), id};
  text_ += token;
  longest_ = std::max(longest_, token.size());
  entries_.push_back(entry);
  std::size_t slot = entry.hash & (slots_.size() - 1);
  while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
  slots_[slot] = static_cast<std::uint32_t>(entries_.size());
  if (by_id_.size() <= id) by_id_.resize(std::size_t{id} + 1, 0);
  by_id_[id] = static_cast<std::uint32_t>(entries_.size());
  return true;
}

std::optional<TokenId> Vocabulary::id_of(std::string_view token) const noexcept {
  const std::uint64_t hash = hash_of(token);
  std::size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot] != 0) {
    const Entry& entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && text_of(entry) == token) return entry.id;
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return std::nullopt;
}

std::optional<std::string_view> Vocabulary::token_of(TokenId id) const noexcept {
  if (id >= by_id_.size() || by_id_[id] == 0) return std::nullopt;
  return text_of(entries_[by_id_[id] - 1]);
}

}  // namespace plait::detail
