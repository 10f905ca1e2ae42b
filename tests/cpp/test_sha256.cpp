// test_sha256.cpp: SHA-256 against the vectors of FIPS 180-2 and NIST's example pages.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "bundle/sha256.hpp"

namespace plait {
namespace {

std::string hash_of(const std::string& text) {
  return detail::sha256_hex(std::as_bytes(std::span(text)));
}

TEST(Sha256, equals_nist_vectors) {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmn"
       "opqrsmnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto& [text, hash] : vectors) EXPECT_EQ(hash_of(text), hash) << text.size();
}

TEST(Sha256, differs_when_any_bit_differs) {
  const std::string text(119, '\0');  // two blocks, the second one partial
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string other = text;
    other[bit / 8] = static_cast<char>(1U << (bit % 8));
    EXPECT_NE(hash_of(other), hash_of(text)) << "bit " << bit;
  }
}

}  // namespace
}  // namespace plait
