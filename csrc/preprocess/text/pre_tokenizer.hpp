// pre_tokenizer.hpp: how a normalized text is cut into words.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.hpp"
#include "base/json_reader.hpp"
#include "preprocess/text/regex.hpp"

namespace plait::detail {

/// A part of a text, and whether it starts where the original text starts.
struct Piece {
  std::string_view text;
  bool from_start;
};

/// Working memory of one stage.
struct CutScratch {
  std::string text;
  std::vector<Match> matches;
  RegexScratch regex;
};

/// One stage: takes a piece that is not empty, gives pieces that are not empty, in order.
/// Immutable, so thread-safe with a scratch a thread.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// What emit is given is valid until it returns. Throws SampleError.
  virtual void cut(Piece piece, CutScratch& scratch, FunctionRef<void(Piece)> emit) const = 0;
};

using PreTokenizers = std::vector<std::unique_ptr<PreTokenizer>>;

/// Reads the section "pre_tokenizer" of a tokenizer.json: stages, in order. Throws BundleError,
/// naming what is not supported.
PreTokenizers make_pre_tokenizers(const JsonReader& section);

}  // namespace plait::detail
