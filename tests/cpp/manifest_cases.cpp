// manifest_cases.cpp: changes the example manifest, and asks the reader.
#include "manifest_cases.hpp"

#include "bundle/manifest.hpp"
#include "bundle_writer.hpp"

namespace plait::testing {

using nlohmann::json;

ErrorParts refusal_of(std::string_view manifest) {
  try {
    detail::parse_manifest(manifest, "manifest.json");
    return {};
  } catch (const BundleError& error) {
    return error.parts();
  }
}

json with(const std::string& pointer, const json& value) {
  json manifest = example_manifest();
  manifest[json::json_pointer(pointer)] = value;
  return manifest;
}

json without(const std::string& pointer) {
  return example_manifest().patch(json::array({{{"op", "remove"}, {"path", pointer}}}));
}

}  // namespace plait::testing
