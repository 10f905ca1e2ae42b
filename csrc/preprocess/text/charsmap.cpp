// charsmap.cpp: reading and walking a precompiled character map.
#include "preprocess/text/charsmap.hpp"

#include <array>

#include "plait/error.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

constexpr std::size_t kMostGraphemeBytes = 6;  // longer graphemes are mapped by character

[[noreturn]] void refuse(const std::string& where, std::string got) {
  throw BundleError({.where = where,
                     .expected = "a precompiled_charsmap of SentencePiece, in base64",
                     .got = std::move(got),
                     .action = "The tokenizer file is damaged: copy it again."});
}

std::string decoded(std::string_view base64, const std::string& where) {
  std::array<int, 256> values{};
  values.fill(-1);
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<int>(i);
  }
  while (base64.ends_with('=')) base64.remove_suffix(1);
  std::string bytes;
  bytes.reserve(base64.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char digit : base64) {
    const int value = values[static_cast<unsigned char>(digit)];
    if (value < 0) refuse(where, "a character that is no base64");
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> static_cast<unsigned int>(held) & 0xFFU);
    }
  }
  return bytes;
}

std::uint32_t little_endian(std::string_view bytes, std::size_t at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i > 0; --i) {
    value = value << 8U | static_cast<unsigned char>(bytes[at + i - 1]);
  }
  return value;
}

// A unit of the double array.
bool has_leaf(std::uint32_t unit) noexcept { return (unit >> 8U & 1U) == 1U; }
std::uint32_t value_of(std::uint32_t unit) noexcept { return unit & ((1U << 31U) - 1); }
std::uint32_t label_of(std::uint32_t unit) noexcept { return unit & (1U << 31U | 0xFFU); }
std::uint32_t offset_of(std::uint32_t unit) noexcept {
  return (unit >> 10U) << ((unit & (1U << 9U)) >> 6U);
}

}  // namespace

Charsmap::Charsmap(std::string_view base64, const std::string& where) {
  const std::string bytes = decoded(base64, where);
  if (bytes.size() < 4) refuse(where, std::to_string(bytes.size()) + " bytes");
  const std::size_t trie = little_endian(bytes, 0);
  if (trie % 4 != 0 || trie > bytes.size() - 4) {
    refuse(where,
           "a trie of " + std::to_string(trie) + " bytes in " + std::to_string(bytes.size()));
  }
  for (std::size_t at = 4; at < 4 + trie; at += 4) units_.push_back(little_endian(bytes, at));
  replacements_ = bytes.substr(4 + trie);
  if (valid_utf8_prefix(replacements_) != replacements_.size()) {
    refuse(where, "replacements that are no UTF-8");
  }
}

std::optional<std::string_view> Charsmap::find(std::string_view text) const noexcept {
  if (units_.empty()) return std::nullopt;
  std::size_t node = offset_of(units_[0]);
  for (const char byte : text) {
    const auto label = static_cast<unsigned char>(byte);
    if (label == 0) return std::nullopt;
    node ^= label;
    if (node >= units_.size() || label_of(units_[node]) != label) return std::nullopt;
    const std::uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    const std::size_t begin = node < units_.size() ? value_of(units_[node]) : SIZE_MAX;
    const bool inside = begin < replacements_.size() &&
                        (static_cast<unsigned char>(replacements_[begin]) & 0xC0U) != 0x80U;
    if (!inside) return std::nullopt;
    return std::string_view(replacements_.c_str() + begin);
  }
  return std::nullopt;
}

void Charsmap::append(std::string_view text, std::string& out) const {
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t end = grapheme_end(text, position);
    if (end - position < kMostGraphemeBytes) {
      if (const auto replacement = find(text.substr(position, end - position))) {
        out += *replacement;
        position = end;
        continue;
      }
    }
    while (position < end) {
      const std::string_view character = text.substr(position, utf8_length(text[position]));
      out += find(character).value_or(character);
      position += character.size();
    }
  }
}

}  // namespace plait::detail
