// normalizer.cpp: the normalizers of `tokenizers`, one class each, and their reader.
#include "preprocess/text/normalizer.hpp"

#include <array>
#include <functional>

#include "preprocess/text/byte_level.hpp"
#include "preprocess/text/charsmap.hpp"
#include "preprocess/text/matcher.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait::detail {
namespace {

constexpr std::size_t kLongestContent = 1024;

/// A normalizer that writes the new text beside the old one.
template <typename Write>
class Rewrite final : public Normalizer {
 public:
  explicit Rewrite(Write write) : write_(std::move(write)) {}
  void apply(NormalizedText& text) const override {
    text.spare.clear();
    write_(text);
    text.text.swap(text.spare);
  }

 private:
  Write write_;
};

template <typename Write>
std::unique_ptr<Normalizer> rewrite(Write write) {
  return std::make_unique<Rewrite<Write>>(std::move(write));
}

/// Writes map(code) for each character; kRemoved removes it.
constexpr CodePoint kRemoved = UINT32_MAX;

template <typename Map>
void map_characters(NormalizedText& text, Map map) {
  for (std::size_t position = 0; position < text.text.size();) {
    const CodePoint code = map(next_code_point(text.text, position));
    if (code != kRemoved) {
      append_code_point(code, text.spare);
    } else if (text.spare.empty()) {
      text.from_start = false;
    }
  }
}

std::unique_ptr<Normalizer> form(NormalizationForm wanted) {
  return rewrite([wanted](NormalizedText& text) {
    append_normalized(wanted, text.text, text.spare, text.codes, text.marks);
  });
}

std::unique_ptr<Normalizer> lowercase() {
  return rewrite([](NormalizedText& text) { append_lower_case(text.text, text.spare); });
}

std::unique_ptr<Normalizer> without(std::span<const CodeRange> ranges) {
  return rewrite([removed = CodePointClass(ranges)](NormalizedText& text) {
    map_characters(text, [&](CodePoint code) { return removed.has(code) ? kRemoved : code; });
  });
}

std::unique_ptr<Normalizer> clean_text() {
  return rewrite([removed = CodePointClass(cleaned())](NormalizedText& text) {
    map_characters(text, [&](CodePoint code) {
      if (removed.has(code)) return kRemoved;
      return is_white_space(code) ? CodePoint{' '} : code;
    });
  });
}

bool is_chinese(CodePoint code) noexcept {
  constexpr CodeRange kRanges[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                   {0x20000, 0x2A6DF}, {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF},
                                   {0x2F800, 0x2FA1F}};
  return code >= kRanges[0].first && contains(kRanges, code);
}

std::unique_ptr<Normalizer> space_chinese() {
  return rewrite([](NormalizedText& text) {
    for (std::size_t position = 0; position < text.text.size();) {
      const CodePoint code = next_code_point(text.text, position);
      if (is_chinese(code)) text.spare += ' ';
      append_code_point(code, text.spare);
      if (is_chinese(code)) text.spare += ' ';
    }
  });
}

std::unique_ptr<Normalizer> nmt() {
  return rewrite([](NormalizedText& text) {
    map_characters(text, [](CodePoint code) {
      const bool control = (code >= 0x1 && code <= 0x8) || code == 0xB ||
                           (code >= 0xE && code <= 0x1F) || code == 0x7F || code == 0x8F ||
                           code == 0x9F;
      if (control) return kRemoved;
      const bool space = code == 0x9 || code == 0xA || code == 0xC || code == 0xD ||
                         code == 0x1680 || (code >= 0x200B && code <= 0x200F) || code == 0x2028 ||
                         code == 0x2029 || code == 0x2581 || code == 0xFEFF || code == 0xFFFD;
      return space ? CodePoint{' '} : code;
    });
  });
}

std::unique_ptr<Normalizer> strip(bool left, bool right) {
  return rewrite([left, right](NormalizedText& text) {
    const std::string_view all = text.text;
    std::size_t begin = 0;
    std::size_t end = all.size();
    for (std::size_t next = 0; left && begin < end; begin = next) {
      if (!is_white_space(next_code_point(all, next))) break;
    }
    for (std::size_t start = 0; right && end > begin; end = start) {
      if (!is_white_space(previous_code_point(all, end, start))) break;
    }
    if (begin > 0) text.from_start = false;
    text.spare = all.substr(begin, end - begin);
  });
}

std::unique_ptr<Normalizer> prepend(std::string content) {
  return rewrite([content = std::move(content)](NormalizedText& text) {
    if (!text.text.empty()) text.spare = content;
    text.spare += text.text;
  });
}

std::unique_ptr<Normalizer> replace(std::unique_ptr<Matcher> matcher, std::string content) {
  return rewrite([matcher = std::shared_ptr<Matcher>(std::move(matcher)),
                  content = std::move(content)](NormalizedText& text) {
    matcher->find(text.text, text.regex, text.matches);
    if (!text.matches.empty() && text.matches.front().matched && content.empty()) {
      text.from_start = false;
    }
    for (const Match& match : text.matches) {
      if (match.matched) {
        text.spare += content;
      } else {
        text.spare.append(text.text, match.begin, match.end - match.begin);
      }
    }
  });
}

std::unique_ptr<Normalizer> precompiled(const JsonReader& section) {
  constexpr std::size_t kLongest = std::size_t{16} << 20U;
  const JsonReader map = section.field("precompiled_charsmap");
  return rewrite([charsmap = std::make_shared<const Charsmap>(map.prose(kLongest), map.path())](
                     NormalizedText& text) { charsmap->append(text.text, text.spare); });
}

std::unique_ptr<Normalizer> byte_level() {
  return rewrite([](NormalizedText& text) { append_byte_level(text.text, text.spare); });
}

void add_bert(const JsonReader& section, Normalizers& normalizers) {
  const bool lower = section.field("lowercase").boolean();
  const auto accents = section.optional_field("strip_accents");
  const bool strips = accents && !accents->is_null() ? accents->boolean() : lower;
  if (section.field("clean_text").boolean()) normalizers.push_back(clean_text());
  if (section.field("handle_chinese_chars").boolean()) normalizers.push_back(space_chinese());
  if (strips) {
    normalizers.push_back(form(NormalizationForm::kNFD));
    normalizers.push_back(without(nonspacing_marks()));
  }
  if (lower) normalizers.push_back(lowercase());
}

struct Kind {
  const char* name;
  void (*add)(const JsonReader& section, Normalizers& normalizers);
};

constexpr std::array kKinds = {
    Kind{"BertNormalizer", add_bert},
    Kind{"ByteLevel", [](const JsonReader&, Normalizers& all) { all.push_back(byte_level()); }},
    Kind{"Lowercase", [](const JsonReader&, Normalizers& all) { all.push_back(lowercase()); }},
    Kind{"NFC",
         [](const JsonReader&, Normalizers& all) { all.push_back(form(NormalizationForm::kNFC)); }},
    Kind{"NFD",
         [](const JsonReader&, Normalizers& all) { all.push_back(form(NormalizationForm::kNFD)); }},
    Kind{"NFKC", [](const JsonReader&,
                    Normalizers& all) { all.push_back(form(NormalizationForm::kNFKC)); }},
    Kind{"NFKD", [](const JsonReader&,
                    Normalizers& all) { all.push_back(form(NormalizationForm::kNFKD)); }},
    Kind{"Nmt", [](const JsonReader&, Normalizers& all) { all.push_back(nmt()); }},
    Kind{"Precompiled",
         [](const JsonReader& section, Normalizers& all) { all.push_back(precompiled(section)); }},
    Kind{"Prepend",
         [](const JsonReader& section, Normalizers& all) {
           all.push_back(prepend(section.field("prepend").prose(kLongestContent)));
         }},
    Kind{"Replace",
         [](const JsonReader& section, Normalizers& all) {
           all.push_back(replace(make_pattern_matcher(section.field("pattern")),
                                 section.field("content").prose(kLongestContent)));
         }},
    Kind{"Strip",
         [](const JsonReader& section, Normalizers& all) {
           all.push_back(strip(section.field("strip_left").boolean(),
                               section.field("strip_right").boolean()));
         }},
    Kind{"StripAccents",
         [](const JsonReader&, Normalizers& all) { all.push_back(without(combining_marks())); }},
};

void add(const JsonReader& section, Normalizers& normalizers) {
  constexpr std::size_t kMost = 64;
  const JsonReader type = section.field("type");
  const std::string name = type.text();
  if (name == "Sequence") {
    for (const JsonReader& part : section.field("normalizers").elements(0, kMost)) {
      add(part, normalizers);
    }
    return;
  }
  std::vector<std::string_view> known{"Sequence"};
  for (const Kind& kind : kKinds) {
    if (name == kind.name) return kind.add(section, normalizers);
    known.emplace_back(kind.name);
  }
  type.fail("a normalizer this library has: " + one_of(known), quote(name),
            "Use a tokenizer with one of these.");
}

}  // namespace

Normalizers make_normalizers(const JsonReader& section) {
  Normalizers normalizers;
  add(section, normalizers);
  return normalizers;
}

}  // namespace plait::detail
