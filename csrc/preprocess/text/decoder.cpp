// decoder.cpp: the decoders of `tokenizers`, one function each, and their reader.
#include "preprocess/text/decoder.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/quote.hpp"
#include "preprocess/text/byte_level.hpp"
#include "preprocess/text/matcher.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::size_t kLongestText = 1024;
constexpr std::int64_t kMostCut = 1 << 20;

using Tokens = std::vector<std::string>;

template <typename Apply>
class Step final : public Decoder {
 public:
  explicit Step(Apply apply) : apply_(std::move(apply)) {}
  void apply(Tokens& tokens) const override { apply_(tokens); }

 private:
  Apply apply_;
};

template <typename Apply>
std::unique_ptr<Decoder> step(Apply apply) {
  return std::make_unique<Step<Apply>>(std::move(apply));
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  std::string result;
  std::size_t covered = 0;
  for (std::size_t found = text.find(from); found != std::string::npos;
       found = text.find(from, covered)) {
    result.append(text, covered, found - covered);
    result += to;
    covered = found + from.size();
  }
  if (covered == 0) return;
  result.append(text, covered);
  text = std::move(result);
}

void fuse(Tokens& tokens) {
  std::string all;
  for (const std::string& token : tokens) all += token;
  tokens.assign(1, all);
}

void byte_level(Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) append_bytes_of(token, bytes);
  tokens.assign(1, lossy_utf8(bytes));
}

/// The clean-up of English that BERT's tokenizers apply, in this order.
void clean_up(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) replace_all(text, from, to);
}

std::unique_ptr<Decoder> wordpiece(const JsonReader& section) {
  return step([prefix = section.field("prefix").prose(kLongestText),
               cleans = section.field("cleanup").boolean()](Tokens& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i].starts_with(prefix)) {
        tokens[i].erase(0, prefix.size());
      } else if (i > 0) {
        tokens[i].insert(0, 1, ' ');
      }
      if (cleans) clean_up(tokens[i]);
    }
  });
}

std::unique_ptr<Decoder> metaspace(const JsonReader& section) {
  const auto scheme = section.optional_field("prepend_scheme");
  const auto prefixed = section.optional_field("add_prefix_space");
  const bool never = (scheme && scheme->text() == "never") ||
                     (prefixed && !prefixed->is_null() && !prefixed->boolean());
  return step([mark = section.field("replacement").text(4), never](Tokens& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      replace_all(tokens[i], mark, i == 0 && !never ? "" : " ");
    }
  });
}

std::unique_ptr<Decoder> bpe(const JsonReader& section) {
  return step([suffix = section.field("suffix").prose(kLongestText)](Tokens& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
    }
  });
}

/// The byte of "<0x0A>"; as Rust reads numbers, "<0x+A>" is one too.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
  std::string_view digits = token.substr(3, 2);
  if (digits.front() == '+') digits.remove_prefix(1);
  unsigned int value = 0;
  for (const char digit : digits) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const char lower = digit >= 'A' && digit <= 'F' ? static_cast<char>(digit + 32) : digit;
    const std::size_t found = kDigits.find(lower);
    if (found == std::string_view::npos) return std::nullopt;
    value = value * 16 + static_cast<unsigned int>(found);
  }
  return static_cast<char>(value);
}

void byte_fallback(Tokens& tokens) {
  Tokens result;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (valid_utf8_prefix(bytes) == bytes.size()) {
      result.push_back(bytes);
    } else {
      result.insert(result.end(), bytes.size(), std::string(kReplacement));
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes += *byte;
      continue;
    }
    flush();
    result.push_back(std::move(token));
  }
  flush();
  tokens = std::move(result);
}

/// Cuts up to start and stop times the content from the ends of every token.
std::unique_ptr<Decoder> strip(const JsonReader& section) {
  return step([content = section.field("content").prose(4),
               start = section.field("start").integer(0, kMostCut),
               stop = section.field("stop").integer(0, kMostCut)](Tokens& tokens) {
    if (content.empty()) return;
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (auto i = start; i > 0 && rest.starts_with(content); --i) {
        rest.remove_prefix(content.size());
      }
      for (auto i = stop; i > 0 && rest.ends_with(content); --i) rest.remove_suffix(content.size());
      token = std::string(rest);
    }
  });
}

std::unique_ptr<Decoder> replace(const JsonReader& section) {
  std::shared_ptr<const Matcher> matcher = make_pattern_matcher(section.field("pattern"));
  return step([matcher, content = section.field("content").prose(kLongestText)](Tokens& tokens) {
    RegexScratch scratch;
    std::vector<Match> matches;
    for (std::string& token : tokens) {
      matcher->find(token, scratch, matches);
      std::string result;
      for (const Match& match : matches) {
        result += match.matched ? content : token.substr(match.begin, match.end - match.begin);
      }
      token = std::move(result);
    }
  });
}

struct Kind {
  const char* name;
  std::unique_ptr<Decoder> (*make)(const JsonReader& section);
};

constexpr std::array kKinds = {
    Kind{"BPEDecoder", bpe},
    Kind{"ByteFallback", [](const JsonReader&) { return step(byte_fallback); }},
    Kind{"ByteLevel", [](const JsonReader&) { return step(byte_level); }},
    Kind{"Fuse", [](const JsonReader&) { return step(fuse); }},
    Kind{"Metaspace", metaspace},
    Kind{"Replace", replace},
    Kind{"Strip", strip},
    Kind{"WordPiece", wordpiece},
};

void add(const JsonReader& section, Decoders& decoders) {
  constexpr std::size_t kMost = 64;
  const JsonReader type = section.field("type");
  const std::string name = type.text();
  if (name == "Sequence") {
    for (const JsonReader& part : section.field("decoders").elements(0, kMost)) {
      add(part, decoders);
    }
    return;
  }
  std::vector<std::string_view> known{"Sequence"};
  for (const Kind& kind : kKinds) {
    if (name == kind.name) {
      decoders.push_back(kind.make(section));
      return;
    }
    known.emplace_back(kind.name);
  }
  type.fail("a decoder this library has: " + one_of(known), quote(name),
            "Use a tokenizer with one of these.");
}

}  // namespace

Decoders make_decoders(const JsonReader& section) {
  Decoders decoders;
  add(section, decoders);
  return decoders;
}

std::string lossy_utf8(std::string_view bytes) {
  // What may follow each lead byte: Unicode Standard, table 3-7.
  const auto second_range = [](unsigned char lead) -> std::pair<unsigned char, unsigned char> {
    if (lead == 0xE0) return {0xA0, 0xBF};
    if (lead == 0xED) return {0x80, 0x9F};
    if (lead == 0xF0) return {0x90, 0xBF};
    if (lead == 0xF4) return {0x80, 0x8F};
    return {0x80, 0xBF};
  };
  std::string text;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const auto at = [&](std::size_t offset) {
      return begin + offset < bytes.size() ? static_cast<unsigned char>(bytes[begin + offset]) : 0;
    };
    const auto lead = static_cast<unsigned char>(bytes[begin]);
    const bool starts = lead < 0x80 || (lead >= 0xC2 && lead <= 0xF4);
    const std::size_t wanted = starts ? utf8_length(bytes[begin]) : 1;
    std::size_t good = 1;
    if (wanted > 1) {
      const auto [least, most] = second_range(lead);
      if (at(1) >= least && at(1) <= most) {
        for (good = 2; good < wanted && at(good) >= 0x80 && at(good) <= 0xBF;) ++good;
      }
    }
    if (starts && good == wanted) {
      text.append(bytes, begin, good);
    } else {
      text += kReplacement;
    }
    begin += good;
  }
  return text;
}

}  // namespace plait::detail
