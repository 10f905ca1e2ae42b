// sha256.cpp: SHA-256 by OpenSSL.
//
// The low-level functions, deprecated as they are, link alone (some kilobytes); EVP would pull
// megabytes of libcrypto into a library that needs one hash.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "bundle/sha256.hpp"

#include <openssl/sha.h>

#include <array>
#include <string_view>

namespace plait::detail {

std::string sha256_hex(std::span<const std::byte> data) {
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, data.data(), data.size());
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256_Final(digest.data(), &context);

  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace plait::detail
