// manifest_cases.cpp: changes the example manifest, and asks the reader.
#include "manifest_cases.hpp"

#include <gtest/gtest.h>

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

std::string refused_at(const json& manifest) {
  const ErrorParts parts = refusal_of(manifest.dump());
  if (parts.where.empty()) return "";
  EXPECT_NE(parts.expected, "");
  EXPECT_NE(parts.got, "");
  EXPECT_NE(parts.action, "");
  const std::string document = "manifest.json, ";
  EXPECT_EQ(parts.where.rfind(document, 0), 0U) << parts.where;
  return parts.where.substr(document.size());
}

json changed(json manifest, const std::string& pointer, const json& value) {
  manifest[json::json_pointer(pointer)] = value;
  return manifest;
}

json removed(const json& manifest, const std::string& pointer) {
  return manifest.patch(json::array({{{"op", "remove"}, {"path", pointer}}}));
}

json with(const std::string& pointer, const json& value) {
  return changed(example_manifest(), pointer, value);
}

json without(const std::string& pointer) { return removed(example_manifest(), pointer); }

}  // namespace plait::testing
