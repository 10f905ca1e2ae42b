// bundle/manifest_checks.hpp: what must agree between the sections of a manifest.
#pragma once

#include <string>

#include "base/json_reader.hpp"
#include "plait/manifest.hpp"

namespace plait::detail {

/// Every name that refers to something refers to something, and the shapes on both sides agree:
/// modalities with encoders, heads with their graphs, variants and quality with all of them.
/// Throws BundleError; where names the document.
void check_references(const Manifest& manifest, const std::string& where);

/// The golden section, which stays JSON: cases, stages and precisions name what exists.
void check_golden(const JsonReader& golden, const Manifest& manifest);

}  // namespace plait::detail
