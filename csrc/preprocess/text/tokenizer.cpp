// tokenizer.cpp: a tokenizer.json put together, and a text's way through it.
#include "plait/tokenizer.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/json_reader.hpp"
#include "plait/error.hpp"
#include "preprocess/text/added_tokens.hpp"
#include "preprocess/text/decoder.hpp"
#include "preprocess/text/model.hpp"
#include "preprocess/text/normalizer.hpp"
#include "preprocess/text/post_processor.hpp"
#include "preprocess/text/pre_tokenizer.hpp"
#include "preprocess/text/unicode.hpp"

namespace plait {
namespace {

using detail::TokenId;
using nlohmann::json;

constexpr std::size_t kMostText = std::size_t{16} << 20U;
constexpr std::size_t kMostFile = std::size_t{64} << 20U;
constexpr int kMostLevels = 32;
constexpr std::string_view kDamaged = "Copy the tokenizer again, or save it again from Python.";

/// A bracket bomb or a file of gigabytes is refused before a parser allocates for it.
void check_size(std::string_view text, const std::string& where) {
  if (text.size() > kMostFile) {
    throw BundleError({.where = where,
                       .expected = "a tokenizer.json of at most 64 MiB",
                       .got = std::to_string(text.size()) + " bytes",
                       .action = std::string(kDamaged)});
  }
  int level = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char byte = text[i];
    if (quoted) {
      if (byte == '\\') ++i;
      if (byte == '"') quoted = false;
      continue;
    }
    if (byte == '"') quoted = true;
    if (byte == '[' || byte == '{') ++level;
    if (byte == ']' || byte == '}') --level;
    if (level > kMostLevels) {
      throw BundleError({.where = where,
                         .expected = "at most 32 levels of nesting",
                         .got = "more",
                         .action = std::string(kDamaged)});
    }
  }
}

json parsed(std::string_view text, const std::string& where) {
  check_size(text, where);
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    throw BundleError({.where = where,
                       .expected = "a JSON document",
                       .got = detail::quote(error.what()),
                       .action = std::string(kDamaged)});
  }
}

/// The ids of words seen lately, by hash: of a fixed size, so bounded however long it is used.
class WordCache {
 public:
  WordCache() : entries_(kEntries) {}

  /// Forgets everything where another tokenizer filled it. Owners are numbered from 1.
  void belong_to(std::uint64_t owner) {
    if (owner_ == owner) return;
    owner_ = owner;
    for (Entry& entry : entries_) entry.bytes = 0;
  }

  bool find(std::string_view word, std::uint64_t hash, std::vector<TokenId>& ids) const {
    const Entry& entry = entries_[hash % kEntries];
    if (entry.bytes != word.size() ||
        std::memcmp(entry.word.data(), word.data(), word.size()) != 0) {
      return false;
    }
    ids.insert(ids.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    return true;
  }

  void keep(std::string_view word, std::uint64_t hash, std::span<const TokenId> ids) {
    Entry& entry = entries_[hash % kEntries];
    if (ids.size() > entry.ids.size()) return;
    entry.bytes = static_cast<unsigned char>(word.size());
    entry.count = static_cast<unsigned char>(ids.size());
    std::memcpy(entry.word.data(), word.data(), word.size());
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
  }

  static bool takes(std::string_view word) noexcept { return word.size() <= kLongest; }

 private:
  static constexpr std::size_t kEntries = 2048;
  static constexpr std::size_t kLongest = 30;
  struct Entry {
    unsigned char bytes = 0;
    unsigned char count = 0;
    std::array<char, kLongest> word{};
    std::array<TokenId, 8> ids{};
  };

  std::vector<Entry> entries_;
  std::uint64_t owner_ = 0;
};

std::uint64_t next_owner() noexcept {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

}  // namespace

class TokenizerScratchImpl {
 public:
  detail::NormalizedText normalized;
  std::vector<detail::Segment> segments;
  std::vector<detail::Segment> inner_segments;
  std::vector<std::unique_ptr<detail::CutScratch>> cuts;
  detail::ModelScratch model;
  WordCache words;
};

class TokenizerImpl {
 public:
  TokenizerImpl(std::string_view text, std::string where) : where_(std::move(where)) {
    const json document = parsed(text, where_);
    const detail::JsonReader root(document, where_, "");
    (void)root.field("model");
    model_ = detail::make_model(document["model"], where_);
    if (const auto section = present(root, "normalizer")) {
      normalizers_ = detail::make_normalizers(*section);
    }
    if (const auto section = present(root, "pre_tokenizer")) {
      pre_tokenizers_ = detail::make_pre_tokenizers(*section);
    }
    if (const auto section = present(root, "post_processor")) {
      special_ = detail::read_post_processor(*section);
    }
    if (const auto section = present(root, "decoder")) {
      decoders_ = detail::make_decoders(*section);
      decodes_ = true;
    }
    if (const auto section = present(root, "added_tokens")) {
      added_ = detail::AddedTokens(*section, model_->vocabulary(), normalizers_);
    }
  }

  void encode(std::string_view text, bool special_tokens, TokenizerScratchImpl& scratch,
              std::vector<TokenId>& ids) const {
    check(text);
    scratch.words.belong_to(owner_);
    while (scratch.cuts.size() < pre_tokenizers_.size()) {
      scratch.cuts.push_back(std::make_unique<detail::CutScratch>());
    }
    ids.clear();
    if (special_tokens) ids.insert(ids.end(), special_.before.begin(), special_.before.end());
    added_.find(text, /*normalized=*/false, scratch.segments);
    for (const detail::Segment& segment : scratch.segments) {
      if (segment.id) {
        ids.push_back(*segment.id);
      } else {
        encode_plain(text.substr(segment.begin, segment.end - segment.begin), segment.begin == 0,
                     scratch, ids);
      }
    }
    if (special_tokens) ids.insert(ids.end(), special_.after.begin(), special_.after.end());
  }

  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
    std::vector<std::string> tokens;
    for (const TokenId id : ids) {
      std::optional<std::string> token = id_to_token(id);
      if (token && !(skip_special_tokens && added_.is_special(*token))) {
        tokens.push_back(std::move(*token));
      }
    }
    for (const auto& decoder : decoders_) decoder->apply(tokens);
    std::string text;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && !decodes_) text += ' ';
      text += tokens[i];
    }
    return text;
  }

  std::size_t vocabulary_size() const noexcept {
    return model_->vocabulary().size() + added_.extra();
  }

  std::optional<TokenId> token_to_id(std::string_view token) const {
    if (const auto id = added_.id_of(token)) return id;
    return model_->vocabulary().id_of(token);
  }

  std::optional<std::string> id_to_token(TokenId id) const {
    if (const detail::AddedToken* token = added_.token_of(id)) return token->shown;
    const auto token = model_->vocabulary().token_of(id);
    return token ? std::optional<std::string>(*token) : std::nullopt;
  }

  const detail::SpecialTokens& special() const noexcept { return special_; }

 private:
  static std::optional<detail::JsonReader> present(const detail::JsonReader& root,
                                                   const char* key) {
    std::optional<detail::JsonReader> section = root.optional_field(key);
    if (section && section->is_null()) section.reset();
    return section;
  }

  void check(std::string_view text) const {
    if (text.size() > kMostText) {
      throw SampleError({.where = where_,
                         .expected = "a text of at most 16 MiB",
                         .got = std::to_string(text.size()) + " bytes",
                         .action = "Cut the text."});
    }
    const std::size_t valid = detail::valid_utf8_prefix(text);
    if (valid == text.size()) return;
    throw SampleError(
        {.where = where_,
         .expected = "a text in UTF-8",
         .got = detail::quote(text.substr(valid, 4)) + " at byte " + std::to_string(valid),
         .action = "Convert the text to UTF-8 first."});
  }

  /// A stretch without added tokens that are looked for as written.
  void encode_plain(std::string_view text, bool from_start, TokenizerScratchImpl& scratch,
                    std::vector<TokenId>& ids) const {
    detail::NormalizedText& normalized = scratch.normalized;
    normalized.text = text;
    normalized.from_start = from_start;
    for (const auto& normalizer : normalizers_) normalizer->apply(normalized);
    const std::string_view all = normalized.text;
    added_.find(all, /*normalized=*/true, scratch.inner_segments);
    for (const detail::Segment& segment : scratch.inner_segments) {
      if (segment.id) {
        ids.push_back(*segment.id);
      } else {
        cut({all.substr(segment.begin, segment.end - segment.begin),
             normalized.from_start && segment.begin == 0},
            0, scratch, ids);
      }
    }
  }

  void cut(detail::Piece piece, std::size_t stage, TokenizerScratchImpl& scratch,
           std::vector<TokenId>& ids) const {
    if (stage == pre_tokenizers_.size()) return tokenize(piece.text, scratch, ids);
    const auto further = [&](detail::Piece part) { cut(part, stage + 1, scratch, ids); };
    pre_tokenizers_[stage]->cut(piece, *scratch.cuts[stage], further);
  }

  void tokenize(std::string_view word, TokenizerScratchImpl& scratch,
                std::vector<TokenId>& ids) const {
    if (!WordCache::takes(word)) return model_->tokenize(word, scratch.model, ids);
    const std::uint64_t hash = detail::hash_of(word);
    if (scratch.words.find(word, hash, ids)) return;
    const std::size_t before = ids.size();
    model_->tokenize(word, scratch.model, ids);
    scratch.words.keep(word, hash, std::span(ids).subspan(before));
  }

  std::string where_;
  std::uint64_t owner_ = next_owner();
  std::unique_ptr<detail::TextModel> model_;
  detail::Normalizers normalizers_;
  detail::PreTokenizers pre_tokenizers_;
  detail::SpecialTokens special_;
  detail::Decoders decoders_;
  detail::AddedTokens added_;
  bool decodes_ = false;
};

TokenizerScratch::TokenizerScratch() : impl_(std::make_unique<TokenizerScratchImpl>()) {}
TokenizerScratch::TokenizerScratch(TokenizerScratch&&) noexcept = default;
TokenizerScratch& TokenizerScratch::operator=(TokenizerScratch&&) noexcept = default;
TokenizerScratch::~TokenizerScratch() = default;

Tokenizer::Tokenizer(std::shared_ptr<const TokenizerImpl> impl) noexcept : impl_(std::move(impl)) {}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& name) {
  return Tokenizer(std::make_shared<const TokenizerImpl>(json, name));
}

Tokenizer Tokenizer::from_file(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    throw BundleError({.where = name,
                       .expected = "a file that can be read",
                       .got = detail::quote(path.string()),
                       .action = "Pass the path of a tokenizer.json."});
  }
  return from_json(text.view(), name);
}

void Tokenizer::encode(std::string_view utf8, bool special_tokens, TokenizerScratch& scratch,
                       std::vector<std::uint32_t>& ids) const {
  impl_->encode(utf8, special_tokens, *scratch.impl_, ids);
}

std::vector<std::uint32_t> Tokenizer::encode(std::string_view utf8, bool special_tokens) const {
  TokenizerScratch scratch;
  std::vector<std::uint32_t> ids;
  encode(utf8, special_tokens, scratch, ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const std::uint32_t> ids, bool skip_special_tokens) const {
  return impl_->decode(ids, skip_special_tokens);
}

std::size_t Tokenizer::vocabulary_size() const noexcept { return impl_->vocabulary_size(); }

std::optional<std::uint32_t> Tokenizer::token_to_id(std::string_view token) const {
  return impl_->token_to_id(token);
}

std::optional<std::string> Tokenizer::id_to_token(std::uint32_t id) const {
  return impl_->id_to_token(id);
}

std::span<const std::uint32_t> Tokenizer::ids_before() const noexcept {
  return impl_->special().before;
}

std::span<const std::uint32_t> Tokenizer::ids_after() const noexcept {
  return impl_->special().after;
}

}  // namespace plait
