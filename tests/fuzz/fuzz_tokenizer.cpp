// fuzz_tokenizer.cpp: any file is a tokenizer or a BundleError; what loads takes texts and ids.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mutate_json.hpp"
#include "plait/error.hpp"
#include "plait/tokenizer.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr const char* kTexts[] = {
    "the cat's  42 toys, ab!\n",
    "A\u0301e\u0301 \u4e2d\u6587\u3000\U0001F600\u200d\U0001F680 <|end|>[MASK] ab",
    "\u2581an\u2581 abababababababababababababababababababababab",
};

void use(const plait::Tokenizer& tokenizer) {
  plait::TokenizerScratch scratch;
  std::vector<std::uint32_t> ids;
  for (const char* text : kTexts) {
    try {
      tokenizer.encode(text, /*special_tokens=*/true, scratch, ids);
    } catch (const plait::SampleError& error) {
      if (error.parts().expected.empty()) std::abort();
      continue;
    }
    (void)tokenizer.decode(ids);
  }
  ids.clear();
  for (std::uint32_t id = 0; id < 8; ++id) ids.push_back(id * 3);
  (void)tokenizer.decode(ids, /*skip_special_tokens=*/false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    use(plait::Tokenizer::from_json(text, "fuzz"));
  } catch (const plait::BundleError& error) {
    if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
  } catch (const plait::SampleError& error) {  // of a decoder's pattern
    if (error.parts().expected.empty()) std::abort();
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  if (random() % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string_view before(reinterpret_cast<const char*>(data), size);
  const std::string after = plait::testing::mutate_json(before, random);
  const std::size_t count = std::min(after.size(), max_size);
  std::copy_n(after.begin(), count, data);
  return count;
}
