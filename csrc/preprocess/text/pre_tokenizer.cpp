// pre_tokenizer.cpp: the pre-tokenizers of `tokenizers`, made of four stages.
#include "preprocess/text/pre_tokenizer.hpp"

#include <algorithm>
#include <array>

#include "preprocess/text/byte_level.hpp"
#include "preprocess/text/matcher.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

/// What becomes of a match that a text is cut at.
enum class Behavior : std::uint8_t {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous
};

/// Joins neighbours in place: a stretch goes to the one before it where joins says so.
template <typename Joins>
void join(std::vector<Match>& matches, Joins joins) {
  std::size_t kept = 0;
  bool before = false;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const Match match = matches[i];
    if (kept > 0 && joins(before, match.matched)) {
      matches[kept - 1].end = match.end;
    } else {
      matches[kept++] = match;
    }
    before = match.matched;
  }
  matches.resize(kept);
}

void apply(Behavior behavior, std::vector<Match>& matches) {
  switch (behavior) {
    case Behavior::kRemoved:
      std::erase_if(matches, [](const Match& match) { return match.matched; });
      return;
    case Behavior::kIsolated:
      return;
    case Behavior::kContiguous:
      join(matches, [](bool before, bool own) { return before == own; });
      return;
    case Behavior::kMergedWithPrevious:
      join(matches, [](bool before, bool own) { return own && !before; });
      return;
    case Behavior::kMergedWithNext: {
      // As kMergedWithPrevious, from the end.
      std::size_t kept = matches.size();
      bool after = false;
      for (std::size_t i = matches.size(); i-- > 0;) {
        const Match match = matches[i];
        if (kept < matches.size() && match.matched && !after) {
          matches[kept].begin = match.begin;
        } else {
          matches[--kept] = match;
        }
        after = match.matched;
      }
      matches.erase(matches.begin(), matches.begin() + static_cast<std::ptrdiff_t>(kept));
      return;
    }
  }
}

class Split final : public PreTokenizer {
 public:
  Split(std::unique_ptr<Matcher> matcher, Behavior behavior, bool invert = false)
      : matcher_(std::move(matcher)), behavior_(behavior), invert_(invert) {}

  void cut(Piece piece, CutScratch& scratch, FunctionRef<void(Piece)> emit) const override {
    matcher_->find(piece.text, scratch.regex, scratch.matches);
    if (invert_) {
      for (Match& match : scratch.matches) match.matched = !match.matched;
    }
    apply(behavior_, scratch.matches);
    for (const Match& match : scratch.matches) {
      if (match.begin == match.end) continue;
      emit({piece.text.substr(match.begin, match.end - match.begin),
            piece.from_start && match.begin == 0});
    }
  }

 private:
  std::unique_ptr<Matcher> matcher_;
  Behavior behavior_;
  bool invert_;
};

/// A space in front of what does not start with one.
class PrefixSpace final : public PreTokenizer {
 public:
  void cut(Piece piece, CutScratch& scratch, FunctionRef<void(Piece)> emit) const override {
    if (piece.text.starts_with(' ')) return emit(piece);
    (scratch.text = ' ') += piece.text;
    emit({scratch.text, piece.from_start});
  }
};

class ByteLevel final : public PreTokenizer {
 public:
  void cut(Piece piece, CutScratch& scratch, FunctionRef<void(Piece)> emit) const override {
    scratch.text.clear();
    append_byte_level(piece.text, scratch.text);
    emit({scratch.text, piece.from_start});
  }
};

enum class Prepend : std::uint8_t { kNever, kFirst, kAlways };

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(std::string replacement, Prepend scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}

  void cut(Piece piece, CutScratch& scratch, FunctionRef<void(Piece)> emit) const override {
    const bool marked = piece.text.starts_with(' ') || piece.text.starts_with(replacement_);
    const bool wanted =
        scheme_ == Prepend::kAlways || (scheme_ == Prepend::kFirst && piece.from_start);
    scratch.text = wanted && !marked ? replacement_ : "";
    for (const char byte : piece.text) {
      if (byte == ' ') {
        scratch.text += replacement_;
      } else {
        scratch.text += byte;
      }
    }
    const std::string_view text = scratch.text;
    if (!split_) return emit({text, piece.from_start});
    for (std::size_t begin = 0; begin < text.size();) {
      const bool starts_marked = text.substr(begin).starts_with(replacement_);
      const std::size_t end = std::min(
          text.find(replacement_, begin + (starts_marked ? replacement_.size() : 0)), text.size());
      emit({text.substr(begin, end - begin), piece.from_start && begin == 0});
      begin = end;
    }
  }

 private:
  std::string replacement_;
  Prepend scheme_;
  bool split_;
};

bool is_punctuation(CodePoint code) noexcept {
  static const CodePointClass kClass(punctuation());
  return kClass.has(code);
}

bool is_numeric(CodePoint code) noexcept {
  static const CodePointClass kClass(numeric());
  return kClass.has(code);
}

Behavior behavior_of(const JsonReader& reader) {
  return reader.choice<Behavior>({{"Removed", Behavior::kRemoved},
                                  {"Isolated", Behavior::kIsolated},
                                  {"MergedWithPrevious", Behavior::kMergedWithPrevious},
                                  {"MergedWithNext", Behavior::kMergedWithNext},
                                  {"Contiguous", Behavior::kContiguous}});
}

std::unique_ptr<PreTokenizer> split_at(bool (*holds)(CodePoint), Behavior behavior) {
  return std::make_unique<Split>(make_character_matcher(holds), behavior);
}

bool flag_of(const JsonReader& section, const char* key, bool otherwise) {
  const auto field = section.optional_field(key);
  return field && !field->is_null() ? field->boolean() : otherwise;
}

void add_byte_level(const JsonReader& section, PreTokenizers& stages) {
  if (flag_of(section, "add_prefix_space", true)) stages.push_back(std::make_unique<PrefixSpace>());
  if (flag_of(section, "use_regex", true)) {
    stages.push_back(std::make_unique<Split>(make_regex_matcher(kByteLevelPattern, section.place()),
                                             Behavior::kIsolated));
  }
  stages.push_back(std::make_unique<ByteLevel>());
}

void add_metaspace(const JsonReader& section, PreTokenizers& stages) {
  const std::string replacement = section.field("replacement").prose(4);
  if (replacement.empty() || utf8_length(replacement.front()) != replacement.size()) {
    section.field("replacement").fail("one character");
  }
  Prepend scheme = Prepend::kAlways;
  if (const auto field = section.optional_field("prepend_scheme")) {
    scheme = field->choice<Prepend>(
        {{"always", Prepend::kAlways}, {"first", Prepend::kFirst}, {"never", Prepend::kNever}});
  }
  if (!flag_of(section, "add_prefix_space", true)) scheme = Prepend::kNever;
  stages.push_back(
      std::make_unique<Metaspace>(replacement, scheme, flag_of(section, "split", true)));
}

void add_split(const JsonReader& section, PreTokenizers& stages) {
  stages.push_back(std::make_unique<Split>(make_pattern_matcher(section.field("pattern")),
                                           behavior_of(section.field("behavior")),
                                           flag_of(section, "invert", false)));
}

struct Kind {
  const char* name;
  void (*add)(const JsonReader& section, PreTokenizers& stages);
};

constexpr std::array kKinds = {
    Kind{"BertPreTokenizer",
         [](const JsonReader&, PreTokenizers& stages) {
           stages.push_back(split_at(is_white_space, Behavior::kRemoved));
           stages.push_back(split_at(is_punctuation, Behavior::kIsolated));
         }},
    Kind{"ByteLevel", add_byte_level},
    Kind{"Digits",
         [](const JsonReader& section, PreTokenizers& stages) {
           stages.push_back(split_at(is_numeric, flag_of(section, "individual_digits", false)
                                                     ? Behavior::kIsolated
                                                     : Behavior::kContiguous));
         }},
    Kind{"Metaspace", add_metaspace},
    Kind{"Punctuation",
         [](const JsonReader& section, PreTokenizers& stages) {
           const auto behavior = section.optional_field("behavior");
           stages.push_back(
               split_at(is_punctuation, behavior ? behavior_of(*behavior) : Behavior::kIsolated));
         }},
    Kind{"Split", add_split},
    Kind{"Whitespace",
         [](const JsonReader&, PreTokenizers& stages) {
           stages.push_back(
               std::make_unique<Split>(make_word_matcher(), Behavior::kRemoved, /*invert=*/true));
         }},
    Kind{"WhitespaceSplit",
         [](const JsonReader&, PreTokenizers& stages) {
           stages.push_back(split_at(is_white_space, Behavior::kRemoved));
         }},
};

void add(const JsonReader& section, PreTokenizers& stages) {
  constexpr std::size_t kMost = 64;
  const JsonReader type = section.field("type");
  const std::string name = type.text();
  if (name == "Sequence") {
    for (const JsonReader& part : section.field("pretokenizers").elements(0, kMost)) {
      add(part, stages);
    }
    if (stages.size() > kMost) section.fail("at most 64 stages");
    return;
  }
  std::vector<std::string_view> known{"Sequence"};
  for (const Kind& kind : kKinds) {
    if (name == kind.name) return kind.add(section, stages);
    known.emplace_back(kind.name);
  }
  type.fail("a pre-tokenizer this library has: " + one_of(known), quote(name),
            "Use a tokenizer with one of these.");
}

}  // namespace

PreTokenizers make_pre_tokenizers(const JsonReader& section) {
  PreTokenizers stages;
  add(section, stages);
  return stages;
}

}  // namespace plait::detail
