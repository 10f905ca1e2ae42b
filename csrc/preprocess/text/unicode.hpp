// unicode.hpp: UTF-8, classes of code points, lower case and normalization forms, as `tokenizers`
// computes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "preprocess/text/unicode_tables.hpp"

namespace plait::detail {

using CodePoint = std::uint32_t;

/// Position of the first byte that is no part of valid UTF-8; text.size() where all is.
std::size_t valid_utf8_prefix(std::string_view text) noexcept;

/// Bytes of the code point that starts with this byte of valid UTF-8.
inline std::size_t utf8_length(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0x80) return 1;
  if (byte < 0xE0) return 2;
  return byte < 0xF0 ? 3 : 4;
}

/// The code point at a position of valid UTF-8, moved past it.
inline CodePoint next_code_point(std::string_view text, std::size_t& position) noexcept {
  const auto byte = [&](std::size_t offset) {
    return static_cast<CodePoint>(static_cast<unsigned char>(text[position + offset]));
  };
  const CodePoint lead = byte(0);
  CodePoint code = lead;
  switch (utf8_length(text[position])) {
    case 1:
      position += 1;
      return code;
    case 2:
      code = (lead & 0x1FU) << 6U | (byte(1) & 0x3FU);
      position += 2;
      return code;
    case 3:
      code = (lead & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
      position += 3;
      return code;
    default:
      code = (lead & 0x07U) << 18U | (byte(1) & 0x3FU) << 12U | (byte(2) & 0x3FU) << 6U |
             (byte(3) & 0x3FU);
      position += 4;
      return code;
  }
}

/// The code point that ends before end, and where it starts.
inline CodePoint previous_code_point(std::string_view text, std::size_t end,
                                     std::size_t& start) noexcept {
  start = end - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) --start;
  std::size_t position = start;
  return next_code_point(text, position);
}

void append_code_point(CodePoint code, std::string& text);

bool contains(std::span<const CodeRange> ranges, CodePoint code) noexcept;
/// What the code point stands for in the runs, of which the targets move along or stay; itself
/// where it is in none.
CodePoint looked_up(std::span<const CodeRun> runs, CodePoint code, bool moving) noexcept;

/// A class of code points, with ASCII in a table.
class CodePointClass {
 public:
  explicit CodePointClass(std::span<const CodeRange> ranges) noexcept;
  bool has(CodePoint code) const noexcept {
    return code < ascii_.size() ? ascii_[code] : contains(ranges_, code);
  }

 private:
  std::span<const CodeRange> ranges_;
  std::array<bool, 128> ascii_{};
};

/// White_Space of Unicode.
bool is_white_space(CodePoint code) noexcept;

bool is_ascii(std::string_view text) noexcept;

/// Appends text in lower case, code point by code point, as Rust's char::to_lowercase.
void append_lower_case(std::string_view text, std::string& out);

enum class NormalizationForm : std::uint8_t { kNFC, kNFD, kNFKC, kNFKD };

/// Appends valid UTF-8 in a normalization form. marks and codes are scratch.
void append_normalized(NormalizationForm form, std::string_view text, std::string& out,
                       std::vector<std::int32_t>& codes, std::vector<std::uint64_t>& marks);

/// Where the grapheme cluster (UAX 29, extended) that starts at a position ends.
std::size_t grapheme_end(std::string_view text, std::size_t position) noexcept;

}  // namespace plait::detail
