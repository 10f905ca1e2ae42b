// text.cpp: prepares texts, and looks fixed prompts up in the bundle's bank.
#include "preprocess/text.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/quote.hpp"
#include "plait/tokenizer.hpp"
#include "preprocess/text/vocabulary.hpp"

namespace plait::detail {
namespace {

struct TextScratch final : PrepareScratch {
  TokenizerScratch tokenizer;
  std::vector<std::uint32_t> ids;
};

/// Letters, digits and bytes beyond ASCII, in lower case: what makes two prompts look alike.
std::string plain(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte >= 'A' && byte <= 'Z') {
      result += static_cast<char>(byte + ('a' - 'A'));
    } else if (code >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9')) {
      result += byte;
    }
  }
  return result;
}

/// Levenshtein's distance of two short texts, in bytes.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// Embeddings of fixed prompts: rows of a member, looked up by the prompt's exact text.
class TextBank {
 public:
  TextBank(const TextDescription& text, const std::string& where, std::span<const std::byte> member)
      : prompts_(text.prompts), places_(text.prompts.size()) {
    for (const std::int64_t side : text.bank_embedding) row_ *= static_cast<std::size_t>(side);
    const std::size_t wanted = prompts_.size() * row_ * sizeof(float);
    if (member.size() != wanted) {
      throw BundleError({.where = where + ", member " + quote(text.bank),
                         .expected = std::to_string(wanted) + " bytes, " +
                                     std::to_string(prompts_.size()) + " rows of float32",
                         .got = std::to_string(member.size()),
                         .action = "Export the bundle again."});
    }
    // A copy: members are little-endian and need no alignment.
    rows_.resize(prompts_.size() * row_);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      std::uint32_t bits = 0;
      for (std::size_t byte = sizeof(bits); byte > 0; --byte) {
        bits = bits << 8U | std::to_integer<std::uint32_t>(member[i * sizeof(bits) + byte - 1]);
      }
      rows_[i] = std::bit_cast<float>(bits);
      if ((bits & 0x7F800000U) == 0x7F800000U) {
        throw BundleError({.where = where + ", member " + quote(text.bank),
                           .expected = "finite embeddings",
                           .got = "NaN or infinity for " + quote(prompts_[i / row_]),
                           .action = "Export the bundle again."});
      }
    }
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      places_.add(prompts_[i], static_cast<std::uint32_t>(i));
    }
  }

  std::span<const float> find(std::string_view text) const noexcept {
    const auto place = places_.id_of(text);
    if (!place) return {};
    return std::span(rows_).subspan(*place * row_, row_);
  }

  /// The three prompts that look most like a text.
  std::string closest(std::string_view text) const {
    constexpr std::size_t kCompared = 64;  // bytes
    constexpr std::size_t kShown = 3;
    const std::string wanted = plain(text).substr(0, kCompared);
    std::vector<std::pair<std::size_t, std::size_t>> ranked;
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      ranked.emplace_back(distance(wanted, plain(prompts_[i]).substr(0, kCompared)), i);
    }
    std::sort(ranked.begin(), ranked.end());
    std::string list;
    for (std::size_t i = 0; i < std::min(kShown, ranked.size()); ++i) {
      list += (list.empty() ? "" : ", ") + quote(prompts_[ranked[i].second]);
    }
    return list;
  }

 private:
  std::vector<std::string> prompts_;
  Vocabulary places_;
  std::vector<float> rows_;
  std::size_t row_ = 1;
};

class TextPreprocessor final : public Preprocessor {
 public:
  TextPreprocessor(const ModalityDescription& modality, std::string where,
                   const PreprocessorResources& resources)
      : text_(modality.text),
        where_(std::move(where)),
        tokenizer_(read_tokenizer(modality.text, where_, resources)),
        encodes_(!modality.encoder.empty()) {
    if (!text_.bank.empty()) bank_.emplace(text_, where_, resources.member(text_.bank));
    const std::size_t around = tokenizer_.ids_before().size() + tokenizer_.ids_after().size();
    if (text_.special_tokens && around > static_cast<std::size_t>(text_.tokens)) {
      throw BundleError(
          {.where = where_,
           .expected = "room for the tokenizer's " + std::to_string(around) + " special tokens",
           .got = std::to_string(text_.tokens) + " tokens",
           .action = "Export with more tokens."});
    }
  }

  Shape input_shape() const override {
    return text_.mask ? Shape{1, 2, text_.tokens} : Shape{1, text_.tokens};
  }
  DType input_dtype() const noexcept override { return DType::kInt64; }
  std::unique_ptr<PrepareScratch> make_scratch() const override {
    return std::make_unique<TextScratch>();
  }

  void prepare(const Sample& sample, PrepareScratch& scratch, TensorView out) const override {
    const auto& text = sample_as<Text>(sample, where_, "Pass the text itself.");
    auto& [tokenizer, ids] = static_cast<TextScratch&>(scratch);
    tokenizer_.encode(text.utf8, /*special_tokens=*/false, tokenizer, ids);
    write(ids, out.as_span<std::int64_t>());
  }

  std::span<const float> known_embedding(const Sample& sample) const override {
    if (!bank_) return {};
    const auto& text = sample_as<Text>(sample, where_, "Pass the text itself.");
    const std::span<const float> row = bank_->find(text.utf8);
    if (!row.empty() || encodes_) return row;
    throw SampleError({.where = where_,
                       .expected = "one of the bank's prompts, as the bundle has no text encoder",
                       .got = quote(text.utf8),
                       .action = "The closest are " + bank_->closest(text.utf8) +
                                 "; export with encoder_in_bundle=True for any text."});
  }

 private:
  static Tokenizer read_tokenizer(const TextDescription& text, const std::string& where,
                                  const PreprocessorResources& resources) {
    const std::span<const std::byte> member = resources.member(text.tokenizer);
    return Tokenizer::from_json({reinterpret_cast<const char*>(member.data()), member.size()},
                                where + ", " + text.tokenizer);
  }

  /// Special tokens around as many ids as there is room for, then padding.
  void write(std::span<const std::uint32_t> ids, std::span<std::int64_t> out) const {
    const auto tokens = static_cast<std::size_t>(text_.tokens);
    std::span<const std::uint32_t> before;
    std::span<const std::uint32_t> after;
    if (text_.special_tokens) {
      before = tokenizer_.ids_before();
      after = tokenizer_.ids_after();
    }
    const std::size_t room = tokens - before.size() - after.size();
    if (ids.size() > room) ids = text_.truncate_left ? ids.last(room) : ids.first(room);
    const std::size_t count = before.size() + ids.size() + after.size();
    const std::size_t first = text_.pad_left ? tokens - count : 0;
    std::fill(out.begin(), out.end(), 0);
    std::fill_n(out.begin(), tokens, text_.pad_id);
    auto place = out.begin() + static_cast<std::ptrdiff_t>(first);
    for (const std::span<const std::uint32_t> part : {before, ids, after}) {
      place = std::copy(part.begin(), part.end(), place);
    }
    if (!text_.mask) return;
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(tokens + first), count, 1);
  }

  TextDescription text_;
  std::string where_;
  Tokenizer tokenizer_;
  std::optional<TextBank> bank_;
  bool encodes_;
};

}  // namespace

std::unique_ptr<Preprocessor> make_text_preprocessor(const ModalityDescription& modality,
                                                     const std::string& where,
                                                     const PreprocessorResources& resources) {
  return std::make_unique<TextPreprocessor>(modality, where, resources);
}

}  // namespace plait::detail
