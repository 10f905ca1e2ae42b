// post_processor.hpp: the special tokens around a text.
#pragma once

#include <vector>

#include "base/json_reader.hpp"
#include "preprocess/text/vocabulary.hpp"

namespace plait::detail {

struct SpecialTokens {
  std::vector<TokenId> before;
  std::vector<TokenId> after;

  std::size_t count() const noexcept { return before.size() + after.size(); }
};

/// Reads the section "post_processor" of a tokenizer.json, of one text (not of a pair). Throws
/// BundleError, naming what is not supported.
SpecialTokens read_post_processor(const JsonReader& section);

}  // namespace plait::detail
