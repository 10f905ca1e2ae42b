// byte_level.hpp: GPT-2's printable stand-ins for the 256 bytes.
//
// Source: bytes_to_unicode of openai/gpt-2: printable Latin-1 stands for itself, the other 68 bytes
// for U+0100 onwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "preprocess/text/unicode.hpp"

namespace plait::detail {

/// Appends the stand-in of every byte.
void append_byte_level(std::string_view bytes, std::string& out);
/// Appends the bytes that a token stands for; the token itself where one of its characters is none.
void append_bytes_of(std::string_view token, std::string& out);

}  // namespace plait::detail
