// base/quote.hpp: untrusted text made fit for an error message.
#pragma once

#include <string>
#include <string_view>

namespace plait::detail {

/// The text in single quotes, at most 100 characters of it, everything but printable ASCII escaped
/// as \xNN: a message stays short, on one line and valid UTF-8 whatever a damaged file holds.
std::string quote(std::string_view text);

/// "a", "b" or "c": the choices of a message.
template <typename Names>
std::string one_of(const Names& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + quote(name);
  return text.empty() ? "nothing" : "one of " + text;
}

}  // namespace plait::detail
