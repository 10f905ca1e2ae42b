// matcher.hpp: where a text may be cut: by regular expressions, literal texts, classes of
// characters.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_reader.hpp"
#include "preprocess/text/regex.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {

/// Immutable, so thread-safe with a scratch a thread.
class Matcher {
 public:
  virtual ~Matcher() = default;
  /// Replaces matches by the whole of the text, cut where matches begin and end; empty for an empty
  /// text. Throws SampleError.
  virtual void find(std::string_view text, RegexScratch& scratch,
                    std::vector<Match>& matches) const = 0;
};

/// {"String": "..."} or {"Regex": "..."}. Throws BundleError.
std::unique_ptr<Matcher> make_pattern_matcher(const JsonReader& pattern);
/// A matcher of a regular expression: by hand for the patterns of GPT-2 and CLIP.
std::unique_ptr<Matcher> make_regex_matcher(const std::string& pattern, const std::string& where);
/// The same, always by PCRE2.
std::unique_ptr<Matcher> make_pcre2_matcher(const std::string& pattern, const std::string& where);
/// Every character for which the function holds is a match of its own.
std::unique_ptr<Matcher> make_character_matcher(bool (*holds)(CodePoint));
/// \w+|[^\w\s]+ of Rust's regular expressions.
std::unique_ptr<Matcher> make_word_matcher();

bool is_word_character(CodePoint code) noexcept;  ///< \w of Rust's regular expressions

/// GPT-2's pattern, which ByteLevel applies.
extern const char* const kByteLevelPattern;

}  // namespace plait::detail
