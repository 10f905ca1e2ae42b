// fuzz_text.cpp: any bytes are a text, which gives the same ids again, or a SampleError. The first
// byte chooses the tokenizer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "plait/error.hpp"
#include "plait/tokenizer.hpp"
#include "preprocess/text/unicode.hpp"
#include "tokenizer_cases.hpp"

namespace {

const std::vector<plait::Tokenizer>& tokenizers() {
  static const auto* kAll = [] {
    auto* all = new std::vector<plait::Tokenizer>;
    for (const std::string& json : plait::testing::all_tokenizers()) {
      all->push_back(plait::Tokenizer::from_json(json, "fuzz"));
    }
    return all;
  }();
  return *kAll;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static plait::TokenizerScratch warm;
  static std::vector<std::uint32_t> ids;
  const plait::Tokenizer& tokenizer = tokenizers()[data[0] % tokenizers().size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool special = data[0] >= 128;
  try {
    tokenizer.encode(text, special, warm, ids);
  } catch (const plait::SampleError& error) {
    if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
    return 0;
  }
  if (plait::detail::valid_utf8_prefix(text) != text.size()) std::abort();
  if (tokenizer.encode(text, special) != ids) std::abort();  // whatever the warm scratch remembers
  for (const std::uint32_t id : ids) {
    if (!tokenizer.id_to_token(id)) std::abort();
  }
  const std::string decoded = tokenizer.decode(ids, !special);
  if (plait::detail::valid_utf8_prefix(decoded) != decoded.size()) std::abort();
  return 0;
}
