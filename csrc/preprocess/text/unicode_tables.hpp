// unicode_tables.hpp: classes of code points as the crates behind `tokenizers` know them.
//
// Written by scripts/text_tables.py, which asks `tokenizers` for every code point, because each of
// its crates has a Unicode version of its own. Ranges and runs are sorted.
#pragma once

#include <cstdint>
#include <span>

namespace plait::detail {

struct CodeRange {
  std::uint32_t first;
  std::uint32_t last;
};

/// first, first + step, ... last, and what the first of them stands for.
struct CodeRun {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t step;
  std::uint32_t target;
};

std::span<const CodeRange> letters() noexcept;           ///< \p{L} of regular expressions
std::span<const CodeRange> numbers() noexcept;           ///< \p{N} of regular expressions
std::span<const CodeRange> word_characters() noexcept;   ///< \w of Whitespace and single_word
std::span<const CodeRange> numeric() noexcept;           ///< Digits
std::span<const CodeRange> punctuation() noexcept;       ///< Punctuation, BertPreTokenizer
std::span<const CodeRange> combining_marks() noexcept;   ///< StripAccents
std::span<const CodeRange> nonspacing_marks() noexcept;  ///< BertNormalizer's strip_accents
std::span<const CodeRange> cleaned() noexcept;           ///< BertNormalizer's clean_text
/// Newer than normalization's Unicode 9: not decomposed, not moved, not composed.
std::span<const CodeRange> inert() noexcept;
/// Code points with a lower case of one code point; it moves along the run.
std::span<const CodeRun> lower_case() noexcept;
/// Code points that an older regular expression library may not know, or knows otherwise, and one
/// of the same class and of the same length in UTF-8 to match in their place; the same for the run.
std::span<const CodeRun> stand_ins() noexcept;

}  // namespace plait::detail
