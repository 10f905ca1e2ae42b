// matcher.cpp: the matchers, and those patterns that are matched by hand.
#include "preprocess/text/matcher.hpp"

#include <array>

#include "base/quote.hpp"

namespace plait::detail {

const char* const kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

const char* const kClipPattern = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

constexpr std::size_t kLongestLiteral = 1024;

enum class Class : std::uint8_t { kLetter, kNumber, kSpace, kOther };

Class class_of(CodePoint code) noexcept {
  static const CodePointClass kLetterClass(letters());
  static const CodePointClass kNumberClass(numbers());
  if (kLetterClass.has(code)) return Class::kLetter;
  if (is_white_space(code)) return Class::kSpace;
  return kNumberClass.has(code) ? Class::kNumber : Class::kOther;
}

/// The class of the character at a position, moved past it.
Class next_class(std::string_view text, std::size_t& position) noexcept {
  return class_of(next_code_point(text, position));
}

/// Where the run of a class that goes on at position ends.
std::size_t end_of_run(std::string_view text, std::size_t position, Class wanted) noexcept {
  while (position < text.size()) {
    std::size_t after = position;
    if (next_class(text, after) != wanted) break;
    position = after;
  }
  return position;
}

/// Bytes of the 's, 't, 're, 've, 'm, 'll or 'd that starts here; 0 for none.
std::size_t contraction(std::string_view text) noexcept {
  if (text.size() < 2 || text[0] != '\'') return 0;
  switch (text[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return text.size() > 2 && text[2] == 'e' ? 3 : 0;
    case 'l':
      return text.size() > 2 && text[2] == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

/// kByteLevelPattern, which matches everywhere.
class Gpt2Matcher final : public Matcher {
 public:
  void find(std::string_view text, RegexScratch&, std::vector<Match>& matches) const override {
    matches.clear();
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = end_of_match(text, begin);
      matches.push_back({begin, end, true});
      begin = end;
    }
  }

 private:
  static std::size_t end_of_match(std::string_view text, std::size_t begin) noexcept {
    if (const std::size_t bytes = contraction(text.substr(begin))) return begin + bytes;
    std::size_t position = begin;
    Class first = next_class(text, position);
    if (text[begin] == ' ' && position < text.size()) {
      std::size_t after = position;
      const Class second = next_class(text, after);
      if (second != Class::kSpace) {
        first = second;
        position = after;
      }
    }
    if (first != Class::kSpace) return end_of_run(text, position, first);
    const std::size_t end = end_of_run(text, position, Class::kSpace);
    if (end == text.size()) return end;
    // \s+(?!\S): a run before something else leaves its last character, unless it is the only one.
    std::size_t last = 0;
    previous_code_point(text, end, last);
    return last > begin ? last : end;
  }
};

/// kClipPattern, which leaves space out.
class ClipMatcher final : public Matcher {
 public:
  void find(std::string_view text, RegexScratch&, std::vector<Match>& matches) const override {
    matches.clear();
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t end = begin + contraction(text.substr(begin));
      bool matched = true;
      if (end == begin) {
        const Class first = next_class(text, end);
        matched = first != Class::kSpace;
        if (first != Class::kNumber) end = end_of_run(text, end, first);
      }
      matches.push_back({begin, end, matched});
      begin = end;
    }
  }
};

class RegexMatcher final : public Matcher {
 public:
  RegexMatcher(const std::string& pattern, const std::string& where) : regex_(pattern, where) {}
  void find(std::string_view text, RegexScratch& scratch,
            std::vector<Match>& matches) const override {
    regex_.find(text, scratch, matches);
  }

 private:
  Regex regex_;
};

class LiteralMatcher final : public Matcher {
 public:
  explicit LiteralMatcher(std::string literal) : literal_(std::move(literal)) {}
  void find(std::string_view text, RegexScratch&, std::vector<Match>& matches) const override {
    matches.clear();
    std::size_t covered = 0;
    for (std::size_t found = text.find(literal_); found != std::string_view::npos;
         found = text.find(literal_, covered)) {
      if (covered != found) matches.push_back({covered, found, false});
      covered = found + literal_.size();
      matches.push_back({found, covered, true});
    }
    if (covered != text.size()) matches.push_back({covered, text.size(), false});
  }

 private:
  std::string literal_;
};

class CharacterMatcher final : public Matcher {
 public:
  explicit CharacterMatcher(bool (*holds)(CodePoint)) : holds_(holds) {}
  void find(std::string_view text, RegexScratch&, std::vector<Match>& matches) const override {
    matches.clear();
    std::size_t covered = 0;
    for (std::size_t position = 0; position < text.size();) {
      const std::size_t begin = position;
      if (!holds_(next_code_point(text, position))) continue;
      if (covered != begin) matches.push_back({covered, begin, false});
      matches.push_back({begin, position, true});
      covered = position;
    }
    if (covered != text.size()) matches.push_back({covered, text.size(), false});
  }

 private:
  bool (*holds_)(CodePoint);
};

class WordMatcher final : public Matcher {
 public:
  void find(std::string_view text, RegexScratch&, std::vector<Match>& matches) const override {
    matches.clear();
    const auto kind_of = [](CodePoint code) {
      if (is_word_character(code)) return 1;
      return is_white_space(code) ? 0 : 2;
    };
    int kind = -1;
    for (std::size_t position = 0; position < text.size();) {
      const std::size_t begin = position;
      const int own = kind_of(next_code_point(text, position));
      if (own == kind) {
        matches.back().end = position;
      } else {
        matches.push_back({begin, position, own != 0});
      }
      kind = own;
    }
  }
};

}  // namespace

bool is_word_character(CodePoint code) noexcept {
  static const CodePointClass kClass(word_characters());
  return kClass.has(code);
}

std::unique_ptr<Matcher> make_pcre2_matcher(const std::string& pattern, const std::string& where) {
  return std::make_unique<RegexMatcher>(pattern, where);
}

std::unique_ptr<Matcher> make_regex_matcher(const std::string& pattern, const std::string& where) {
  if (pattern == kByteLevelPattern) return std::make_unique<Gpt2Matcher>();
  if (pattern == kClipPattern) return std::make_unique<ClipMatcher>();
  return make_pcre2_matcher(pattern, where);
}

std::unique_ptr<Matcher> make_pattern_matcher(const JsonReader& pattern) {
  constexpr std::size_t kLongestPattern = 8192;
  if (const auto literal = pattern.optional_field("String")) {
    std::string text = literal->prose(kLongestLiteral);
    if (text.empty()) literal->fail("a text that is not empty");
    return std::make_unique<LiteralMatcher>(std::move(text));
  }
  const JsonReader regex = pattern.field("Regex");
  return make_regex_matcher(regex.prose(kLongestPattern), regex.place());
}

std::unique_ptr<Matcher> make_character_matcher(bool (*holds)(CodePoint)) {
  return std::make_unique<CharacterMatcher>(holds);
}

std::unique_ptr<Matcher> make_word_matcher() { return std::make_unique<WordMatcher>(); }

}  // namespace plait::detail
