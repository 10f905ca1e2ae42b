// unicode.cpp: UTF-8 and Unicode, by utf8proc where the tables of `tokenizers` agree with it.
#include "preprocess/text/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>

namespace plait::detail {
namespace {

constexpr CodePoint kCapitalIWithDot = 0x130;  // the only one whose lower case is two code points

bool is_inert(CodePoint code) noexcept {
  constexpr CodePoint kFirst = 0x7FD;
  return code >= kFirst && contains(inert(), code);
}

std::uint64_t combining_class(std::int32_t code) noexcept {
  return static_cast<std::uint64_t>(utf8proc_get_property(code)->combining_class);
}

/// Appends the full decomposition of one code point.
void decompose(std::int32_t code, utf8proc_option_t options, std::vector<std::int32_t>& codes) {
  constexpr std::size_t kLongest = 18;  // of U+FDFA
  std::array<std::int32_t, kLongest> parts{};
  int boundary = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      code, parts.data(), static_cast<utf8proc_ssize_t>(parts.size()), options, &boundary);
  codes.insert(codes.end(), parts.begin(), parts.begin() + count);
}

/// Sorts every run of marks by combining class, keeping the order of equals. Runs may be as long as
/// the text, so this is n log n where utf8proc's own is quadratic.
void order_marks(std::vector<std::int32_t>& codes, std::vector<std::uint64_t>& marks) {
  constexpr std::uint64_t kClassShift = 56;
  constexpr std::uint64_t kPlaceShift = 24;
  for (std::size_t begin = 0; begin < codes.size();) {
    if (combining_class(codes[begin]) == 0) {
      ++begin;
      continue;
    }
    marks.clear();
    std::size_t end = begin;
    for (; end < codes.size(); ++end) {
      const std::uint64_t own = combining_class(codes[end]);
      if (own == 0) break;
      marks.push_back(own << kClassShift | (end - begin) << kPlaceShift |
                      static_cast<std::uint64_t>(codes[end]));
    }
    if (!std::is_sorted(marks.begin(), marks.end())) {
      std::sort(marks.begin(), marks.end());
      for (std::size_t i = 0; i < marks.size(); ++i) {
        codes[begin + i] = static_cast<std::int32_t>(marks[i] & ((1U << kPlaceShift) - 1));
      }
    }
    begin = end;
  }
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) noexcept {
  std::size_t position = 0;
  while (position < text.size()) {
    if (static_cast<unsigned char>(text[position]) < 0x80) {
      ++position;
      continue;
    }
    utf8proc_int32_t code = 0;
    const utf8proc_ssize_t bytes =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + position),
                         static_cast<utf8proc_ssize_t>(text.size() - position), &code);
    if (bytes <= 0) return position;
    position += static_cast<std::size_t>(bytes);
  }
  return position;
}

void append_code_point(CodePoint code, std::string& text) {
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  std::array<utf8proc_uint8_t, 4> bytes{};
  const utf8proc_ssize_t count =
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
}

bool contains(std::span<const CodeRange> ranges, CodePoint code) noexcept {
  const auto after = std::upper_bound(
      ranges.begin(), ranges.end(), code,
      [](CodePoint wanted, const CodeRange& range) { return wanted < range.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

CodePoint looked_up(std::span<const CodeRun> runs, CodePoint code, bool moving) noexcept {
  // Runs of step 2 may interleave, two deep.
  auto run = std::upper_bound(
      runs.begin(), runs.end(), code,
      [](CodePoint wanted, const CodeRun& candidate) { return wanted < candidate.first; });
  for (int tries = 0; tries < 2 && run != runs.begin(); ++tries) {
    --run;
    if (code <= run->last && (code - run->first) % run->step == 0) {
      return moving ? run->target + (code - run->first) : run->target;
    }
  }
  return code;
}

CodePointClass::CodePointClass(std::span<const CodeRange> ranges) noexcept : ranges_(ranges) {
  for (CodePoint code = 0; code < ascii_.size(); ++code) ascii_[code] = contains(ranges, code);
}

bool is_white_space(CodePoint code) noexcept {
  if (code < 0x80) return code == ' ' || (code >= 0x9 && code <= 0xD);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_ascii(std::string_view text) noexcept {
  unsigned char seen = 0;
  for (const char byte : text) seen |= static_cast<unsigned char>(byte);
  return seen < 0x80;
}

void append_lower_case(std::string_view text, std::string& out) {
  for (std::size_t position = 0; position < text.size();) {
    const char byte = text[position];
    if (static_cast<unsigned char>(byte) < 0x80) {
      out += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
      ++position;
      continue;
    }
    const CodePoint code = next_code_point(text, position);
    if (code == kCapitalIWithDot) {
      out += "i\u0307";
    } else {
      append_code_point(looked_up(lower_case(), code, /*moving=*/true), out);
    }
  }
}

void append_normalized(NormalizationForm form, std::string_view text, std::string& out,
                       std::vector<std::int32_t>& codes, std::vector<std::uint64_t>& marks) {
  if (is_ascii(text)) {
    out += text;
    return;
  }
  const bool composes = form == NormalizationForm::kNFC || form == NormalizationForm::kNFKC;
  const bool compatible = form == NormalizationForm::kNFKC || form == NormalizationForm::kNFKD;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                      (compatible ? UTF8PROC_COMPAT : 0));
  const auto flush = [&] {
    order_marks(codes, marks);
    auto count = static_cast<utf8proc_ssize_t>(codes.size());
    if (composes) {
      count = utf8proc_normalize_utf32(
          codes.data(), count, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      append_code_point(static_cast<CodePoint>(codes[static_cast<std::size_t>(i)]), out);
    }
    codes.clear();
  };
  codes.clear();
  for (std::size_t position = 0; position < text.size();) {
    const CodePoint code = next_code_point(text, position);
    if (is_inert(code)) {  // as a starter that composes with nothing, it separates what is around
      flush();
      append_code_point(code, out);
    } else {
      decompose(static_cast<std::int32_t>(code), options, codes);
    }
  }
  flush();
}

std::size_t grapheme_end(std::string_view text, std::size_t position) noexcept {
  utf8proc_int32_t state = 0;
  std::size_t end = position;
  CodePoint before = next_code_point(text, end);
  while (end < text.size()) {
    std::size_t after = end;
    const CodePoint code = next_code_point(text, after);
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before),
                                         static_cast<utf8proc_int32_t>(code), &state)) {
      break;
    }
    before = code;
    end = after;
  }
  return end;
}

}  // namespace plait::detail
