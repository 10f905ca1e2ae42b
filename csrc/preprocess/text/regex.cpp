// regex.cpp: compiling and matching by PCRE2, bounded in steps and memory.
#include "preprocess/text/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "base/quote.hpp"
#include "plait/error.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

constexpr std::uint32_t kMostSteps = 1'000'000;
constexpr std::uint32_t kMostHeap = 32U << 10U;  // KiB
constexpr std::size_t kLeastStack = 32U << 10U;
constexpr std::size_t kMostStack = 1U << 20U;

PCRE2_SPTR units(std::string_view text) noexcept {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// The text with code points that PCRE2's Unicode may not know replaced by others of their class
/// and length; the text itself where there is none.
std::string_view with_stand_ins(std::string_view text, std::string& replaced) {
  constexpr CodePoint kFirst = 0x897;
  if (is_ascii(text)) return text;
  replaced.clear();
  bool changed = false;
  for (std::size_t position = 0; position < text.size();) {
    const CodePoint code = next_code_point(text, position);
    const CodePoint known = code < kFirst ? code : looked_up(stand_ins(), code, /*moving=*/false);
    changed = changed || known != code;
    append_code_point(known, replaced);
  }
  return changed ? std::string_view(replaced) : text;
}

}  // namespace

struct RegexScratch::State {
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(kLeastStack, kMostStack, nullptr);
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  std::string replaced;

  State() {
    if (context == nullptr || stack == nullptr || data == nullptr) throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
    pcre2_set_match_limit(context, kMostSteps);
    pcre2_set_heap_limit(context, kMostHeap);
  }
  ~State() {
    pcre2_match_data_free(data);
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

RegexScratch::RegexScratch() : state_(std::make_unique<State>()) {}
RegexScratch::~RegexScratch() = default;

struct Regex::Compiled {
  pcre2_code* code = nullptr;
  bool compiled_to_machine = false;

  Compiled() = default;
  ~Compiled() { pcre2_code_free(code); }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
};

Regex::Regex(std::string_view pattern, const std::string& where)
    : compiled_(std::make_unique<Compiled>()), where_(where) {
  constexpr std::uint32_t kOptions =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK;
  const std::string translated = translated_pattern(pattern, where);
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
  if (context == nullptr) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled_->code =
      pcre2_compile(units(translated), translated.size(), kOptions, &error, &offset, context.get());
  if (compiled_->code == nullptr) {
    throw BundleError({.where = where,
                       .expected = "a regular expression that PCRE2 compiles",
                       .got = quote(pattern) + ", of which it says: " + message_of(error),
                       .action = "Use a tokenizer with a plainer pattern."});
  }
  compiled_->compiled_to_machine = pcre2_jit_compile(compiled_->code, PCRE2_JIT_COMPLETE) == 0;
}

Regex::~Regex() = default;

void Regex::find(std::string_view text, RegexScratch& scratch, std::vector<Match>& matches) const {
  RegexScratch::State& state = *scratch.state_;
  const std::string_view subject = with_stand_ins(text, state.replaced);
  matches.clear();
  std::size_t start = 0;
  std::size_t end_of_last = 0;
  bool any = false;
  while (start <= text.size()) {
    int status = pcre2_match(compiled_->code, units(subject), subject.size(), start,
                             PCRE2_NO_UTF_CHECK, state.data, state.context);
    if (status == PCRE2_ERROR_JIT_STACKLIMIT) {
      status = pcre2_match(compiled_->code, units(subject), subject.size(), start,
                           PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, state.data, state.context);
    }
    if (status == PCRE2_ERROR_NOMATCH) break;
    if (status < 0) {
      throw SampleError({.where = where_,
                         .expected = "a text that the pattern goes through in a million steps",
                         .got = message_of(status),
                         .action = "Shorten the text, or use a tokenizer with a plainer pattern."});
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(state.data);
    const std::size_t begin = bounds[0];
    const std::size_t end = bounds[1];
    if (begin == end && any && end == end_of_last) {  // an empty match right after the last one
      if (start >= text.size()) break;
      start += utf8_length(text[start]);
      continue;
    }
    const std::size_t covered = matches.empty() ? 0 : matches.back().end;
    if (covered != begin) matches.push_back({covered, begin, false});
    matches.push_back({begin, end, true});
    any = true;
    start = end_of_last = end;
  }
  const std::size_t covered = matches.empty() ? 0 : matches.back().end;
  if (covered != text.size()) matches.push_back({covered, text.size(), false});
}

}  // namespace plait::detail
