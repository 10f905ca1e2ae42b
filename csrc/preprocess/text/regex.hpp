// regex.hpp: regular expressions of tokenizer.json, which are Oniguruma's (Ruby syntax), by PCRE2.
//
// What both read alike is compiled, what they read differently is translated or refused by name.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace plait::detail {

/// A stretch of a text, and whether the pattern matched it.
struct Match {
  std::size_t begin;
  std::size_t end;
  bool matched;
};

/// The pattern in PCRE2's syntax. Throws BundleError, naming where, for a construct that Oniguruma
/// and PCRE2 read differently.
std::string translated_pattern(std::string_view pattern, const std::string& where);

/// Working memory of matching: one a thread.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct State;
  std::unique_ptr<State> state_;
};

/// A compiled pattern. Immutable, so thread-safe with a scratch a thread.
class Regex {
 public:
  /// Throws BundleError where the pattern is none, or is refused.
  Regex(std::string_view pattern, const std::string& where);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  /// Replaces matches by the whole of a valid UTF-8 text, cut where matches begin and end. Throws
  /// SampleError where matching takes more steps than any sensible pattern needs.
  void find(std::string_view text, RegexScratch& scratch, std::vector<Match>& matches) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
  std::string where_;
};

}  // namespace plait::detail
