// plait/tokenizer.hpp: texts to token ids and back, as a Hugging Face tokenizer.json says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/export.hpp"

namespace plait {

class TokenizerImpl;
class TokenizerScratchImpl;

/// Working memory of Tokenizer::encode, for those who want none allocated once warm. One a thread;
/// of any tokenizer, and best kept to one, whose last words it remembers. Movable.
class PLAIT_API TokenizerScratch {
 public:
  TokenizerScratch();
  TokenizerScratch(TokenizerScratch&&) noexcept;
  TokenizerScratch& operator=(TokenizerScratch&&) noexcept;
  ~TokenizerScratch();

 private:
  friend class Tokenizer;
  std::unique_ptr<TokenizerScratchImpl> impl_;
};

/// A tokenizer: BPE, WordPiece, Unigram or WordLevel, with its normalizers, pre-tokenizers, special
/// tokens and decoders. Gives the ids that the library `tokenizers` gives for the same file; its
/// truncation and padding sections are not applied. Copies share it. Immutable, thread-safe.
class PLAIT_API Tokenizer {
 public:
  /// From the text of a tokenizer.json; name appears in errors. Throws BundleError, naming what the
  /// file asks for that this library does not have.
  static Tokenizer from_json(std::string_view json, const std::string& name);
  /// Reads the file. Throws BundleError.
  static Tokenizer from_file(const std::filesystem::path& path);

  /// Replaces ids by those of a text, with the special tokens around it or without. Does not
  /// allocate once warm. Throws SampleError for text that is no UTF-8, longer than 16 MiB, or needs
  /// a token for the unknown where there is none.
  void encode(std::string_view utf8, bool special_tokens, TokenizerScratch& scratch,
              std::vector<std::uint32_t>& ids) const;
  /// The same, allocating.
  std::vector<std::uint32_t> encode(std::string_view utf8, bool special_tokens = true) const;

  /// The text of ids, without special tokens or with them. Ids that no token has are left out.
  /// Always valid UTF-8: what is none becomes U+FFFD.
  std::string decode(std::span<const std::uint32_t> ids, bool skip_special_tokens = true) const;

  /// Tokens there are, added ones included.
  std::size_t vocabulary_size() const noexcept;
  std::optional<std::uint32_t> token_to_id(std::string_view token) const;
  std::optional<std::string> id_to_token(std::uint32_t id) const;
  /// The ids that special_tokens puts before and after a text.
  std::span<const std::uint32_t> ids_before() const noexcept;
  std::span<const std::uint32_t> ids_after() const noexcept;

 private:
  explicit Tokenizer(std::shared_ptr<const TokenizerImpl> impl) noexcept;
  std::shared_ptr<const TokenizerImpl> impl_;
};

}  // namespace plait
