// quote.cpp: escaping and shortening of untrusted text.
#include "base/quote.hpp"

namespace plait::detail {
namespace {

constexpr std::size_t kLongest = 100;

}  // namespace

std::string quote(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result = "'";
  for (const char character : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte < 0x7f) {
      result += character;
    } else {
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return result + (text.size() > kLongest ? "...'" : "'");
}

}  // namespace plait::detail
