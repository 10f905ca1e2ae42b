// decoder.hpp: tokens back into text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_reader.hpp"

namespace plait::detail {

/// One step: tokens in, tokens out, of which the last step's are joined. Immutable.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

using Decoders = std::vector<std::unique_ptr<Decoder>>;

/// Reads the section "decoder" of a tokenizer.json. Throws BundleError, naming what is not
/// supported.
Decoders make_decoders(const JsonReader& section);

/// Bytes as UTF-8, with U+FFFD for each longest part that is none, as Rust's from_utf8_lossy.
std::string lossy_utf8(std::string_view bytes);

}  // namespace plait::detail
