// fuzz_engine_description.cpp: any text describes an engine or is a BundleError; what is read can
// be written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "backends/tensorrt/engine_files.hpp"
#include "mutate_json.hpp"
#include "plait/error.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using plait::detail::EngineDescription;
  using plait::detail::parse_description;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  EngineDescription read;
  try {
    read = parse_description(text, "fuzz");
  } catch (const plait::BundleError& error) {
    if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
    return 0;
  }
  try {
    const std::string name = read.key.hex();
    const EngineDescription again = parse_description(description_text(read), "again");
    if (again.key.hex() != name || again.sha256 != read.sha256 || again.bytes != read.bytes ||
        again.built != read.built || again.report != read.report) {
      std::abort();
    }
  } catch (const plait::ConfigError& error) {
    if (error.parts().expected.empty() || error.parts().action.empty()) std::abort();
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  if (random() % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string_view before(reinterpret_cast<const char*>(data), size);
  const std::string after = plait::testing::mutate_json(before, random);
  const std::size_t count = std::min(after.size(), max_size);
  std::copy_n(after.begin(), count, data);
  return count;
}
