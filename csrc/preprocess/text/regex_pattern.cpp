// regex_pattern.cpp: Oniguruma's syntax into PCRE2's, as far as both mean the same.
#include <algorithm>
#include <array>

#include "base/quote.hpp"
#include "plait/error.hpp"
#include "preprocess/text/regex.hpp"

namespace plait::detail {
namespace {

// Oniguruma's \w: Alphabetic, M, Nd and Pc of Unicode; outside of classes also the superscripts and
// fractions of Latin-1. PCRE2's differs between its versions.
constexpr std::string_view kLatinFractions = R"(\xB2\xB3\xB9\xBC-\xBE)";
constexpr std::string_view kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";
constexpr std::string_view kHexDigit = "0-9a-fA-F";

constexpr std::array<std::string_view, 41> kProperties = {
    "L",  "Lu", "Ll", "Lt", "Lm",  "Lo",       "M",        "Mn",    "Mc", "Me", "N",
    "Nd", "Nl", "No", "P",  "Pc",  "Pd",       "Ps",       "Pe",    "Pi", "Pf", "Po",
    "S",  "Sm", "Sc", "Sk", "So",  "Z",        "Zs",       "Zl",    "Zp", "C",  "Cc",
    "Cf", "Co", "Cs", "Cn", "Han", "Hiragana", "Katakana", "Hangul"};

/// Walks a pattern once and writes what PCRE2 is to see.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where)
      : pattern_(pattern), where_(where) {}

  std::string run() {
    constexpr std::size_t kLongest = 4096;
    if (pattern_.size() > kLongest) refuse("a pattern of more than 4096 bytes");
    while (at_ < pattern_.size()) {
      const char character = pattern_[at_];
      if (character == '\\') {
        escape();
      } else if (in_class_) {
        class_character(character);
      } else {
        plain_character(character);
      }
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void refuse(const std::string& construct) const {
    throw BundleError({.where = where_,
                       .expected = "a regular expression that PCRE2 and Oniguruma read alike",
                       .got = construct + " in " + quote(pattern_),
                       .action = "Use a tokenizer with a plainer pattern."});
  }

  bool starts(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }

  void take(std::size_t count) {
    result_ += pattern_.substr(at_, count);
    at_ += count;
  }

  void plain_character(char character) {
    if (character == '(' && starts("(?")) {
      constexpr std::array<std::string_view, 6> kGroups = {"(?:",  "(?=",  "(?!",
                                                           "(?<=", "(?<!", "(?>"};
      for (const std::string_view group : kGroups) {
        if (starts(group)) return take(group.size());
      }
      if (starts("(?i:")) return take(4);
      refuse("the group " + quote(pattern_.substr(at_, 4)));
    }
    if (starts("(*")) refuse("the verb '(*'");
    if (character == '{') return repetition();
    if (character == '[') {
      in_class_ = true;
      take(starts("[^") ? 2 : 1);
      if (starts("]")) refuse("']' as the first of a class");
      return;
    }
    take(1);
  }

  /// {n}, {n,} or {n,m}, greedy or lazy; Ruby reads {n}? and {n,m}+ in ways of its own.
  void repetition() {
    const std::size_t end = pattern_.find('}', at_);
    const std::string_view inside = pattern_.substr(at_ + 1, end - at_ - 1);
    const bool counted = end != std::string_view::npos && !inside.empty() &&
                         inside.front() != ',' &&
                         std::all_of(inside.begin(), inside.end(),
                                     [](char c) { return (c >= '0' && c <= '9') || c == ','; });
    if (!counted) refuse("'{' that begins no repetition such as {1,3}");
    take(inside.size() + 2);
    if (starts("+") || starts("?")) refuse("a repetition followed by '+' or '?'");
  }

  void class_character(char character) {
    if (character == ']') in_class_ = false;
    if (character == '[') refuse("a class inside a class");
    if (starts("&&")) refuse("the intersection '&&'");
    take(1);
  }

  void escape() {
    if (at_ + 1 >= pattern_.size()) refuse("a backslash at the end");
    const char escaped = pattern_[at_ + 1];
    const bool word = (escaped >= 'a' && escaped <= 'z') || (escaped >= 'A' && escaped <= 'Z') ||
                      (escaped >= '0' && escaped <= '9');
    if (!word || std::string_view("sSdDnrtfeaAzZ").find(escaped) != std::string_view::npos) {
      if (in_class_ && std::string_view("AzZ").find(escaped) != std::string_view::npos) {
        refuse("an anchor in a class");
      }
      return take(static_cast<unsigned char>(escaped) < 0x80 ? 2 : 1);
    }
    switch (escaped) {
      case 'w':
        return replace(kWord, "", kLatinFractions);
      case 'h':
        return replace(kHexDigit, "", "");
      case 'W':
        if (in_class_) refuse("'\\W' in a class");
        return replace(kWord, "^", kLatinFractions);
      case 'v':
        result_ += "\\x0B";
        at_ += 2;
        return;
      case 'p':
      case 'P':
        return property();
      case 'x':
      case 'u':
        return hexadecimal(escaped);
      default:
        refuse("the escape " + quote(pattern_.substr(at_, 2)));
    }
  }

  void replace(std::string_view members, std::string_view negation, std::string_view outside) {
    if (in_class_) {
      result_ += members;
    } else {
      ((((result_ += "[") += negation) += members) += outside) += "]";
    }
    at_ += 2;
  }

  void property() {
    const std::size_t end = pattern_.find('}', at_);
    if (!starts("\\p{") && !starts("\\P{")) refuse("a property without braces");
    if (end == std::string_view::npos) refuse("a property without an end");
    std::string_view name = pattern_.substr(at_ + 3, end - at_ - 3);
    if (name.starts_with("^")) name.remove_prefix(1);
    if (std::find(kProperties.begin(), kProperties.end(), name) == kProperties.end()) {
      refuse("the property " + quote(name));
    }
    if (name.size() <= 2) return take(end - at_ + 1);
    // A script by itself means its extensions too in newer versions of PCRE2.
    const bool negated = (pattern_[at_ + 1] == 'P') != (pattern_[at_ + 3] == '^');
    ((result_ += negated ? "\\P{sc:" : "\\p{sc:") += name) += '}';
    at_ = end + 1;
  }

  /// \xHH and \x{H...} as they are, \uHHHH as PCRE2 writes it.
  void hexadecimal(char escaped) {
    const bool braced = escaped == 'x' && starts("\\x{");
    const std::size_t count = escaped == 'u' ? 4 : 2;
    const std::size_t begin = at_ + (braced ? 3 : 2);
    const std::size_t end = braced ? pattern_.find('}', at_) : begin + count;
    const std::string_view digits =
        end <= pattern_.size() ? pattern_.substr(begin, end - begin) : std::string_view();
    const bool good =
        !digits.empty() && digits.size() <= 6 &&
        std::all_of(digits.begin(), digits.end(), [](char c) {
          return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        });
    if (!good) refuse("the escape " + quote(pattern_.substr(at_, 4)));
    // Oniguruma's \x80 to \xFF are bytes, not code points.
    if (escaped == 'x' && !braced && digits.front() > '7') refuse("a byte as \\xHH above 7F");
    ((result_ += "\\x{") += digits) += "}";
    at_ = braced ? end + 1 : end;
  }

  std::string_view pattern_;
  const std::string& where_;
  std::string result_;
  std::size_t at_ = 0;
  bool in_class_ = false;
};

}  // namespace

std::string translated_pattern(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).run();
}

}  // namespace plait::detail
