// fuzz_manifest.cpp: any text is a manifest or a BundleError; half the inputs are well-formed JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bundle/manifest.hpp"
#include "mutate_json.hpp"
#include "plait/error.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const plait::Manifest manifest = plait::detail::parse_manifest(text, "fuzz");
    // What the checks promise to those who use a manifest.
    for (const plait::ModalityDescription& modality : manifest.modalities) {
      if (manifest.graph(modality.encoder) == nullptr) std::abort();
    }
    for (const plait::HeadDescription& head : manifest.heads) {
      if (manifest.graph(head.graph) == nullptr) std::abort();
      for (const std::string& name : head.modalities) {
        if (manifest.modality(name) == nullptr) std::abort();
      }
    }
    for (const plait::VariantDescription& variant : manifest.variants) {
      for (const plait::GraphDescription& graph : manifest.graphs) {
        if (!manifest.members.contains(variant.members.at(graph.name))) std::abort();
      }
    }
    if (manifest.variant(manifest.default_precision) == nullptr) std::abort();
  } catch (const plait::BundleError& error) {
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
