// normalizer.hpp: what a tokenizer does to a text before it cuts it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json_reader.hpp"
#include "preprocess/text/regex.hpp"

namespace plait::detail {

/// A text on its way through the normalizers, with their working memory.
struct NormalizedText {
  std::string text;
  /// Whether text starts with what the original started with: Metaspace asks for it.
  bool from_start = true;

  std::string spare;
  std::vector<std::int32_t> codes;
  std::vector<std::uint64_t> marks;
  std::vector<Match> matches;
  RegexScratch regex;
};

/// Immutable, so thread-safe with a text a thread.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// text holds valid UTF-8 and does so afterwards. Throws SampleError.
  virtual void apply(NormalizedText& text) const = 0;
};

using Normalizers = std::vector<std::unique_ptr<Normalizer>>;

/// Reads the section "normalizer" of a tokenizer.json, in the order of application. Throws
/// BundleError, naming what is not supported.
Normalizers make_normalizers(const JsonReader& section);

}  // namespace plait::detail
