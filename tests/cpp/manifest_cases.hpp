// manifest_cases.hpp: the example manifest changed in one place, and what the reader says of it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "plait/error.hpp"

namespace plait::testing {

/// The four parts of the refusal; all empty when the text is taken.
ErrorParts refusal_of(std::string_view manifest);

/// Where a manifest's refusal points, without the document's name; empty when it is taken. The
/// refusal's other parts have to be there.
std::string refused_at(const nlohmann::json& manifest);

/// A manifest with the value at a JSON pointer replaced or added, and one without it.
nlohmann::json changed(nlohmann::json manifest, const std::string& pointer,
                       const nlohmann::json& value);
nlohmann::json removed(const nlohmann::json& manifest, const std::string& pointer);

/// The example with the value at a JSON pointer replaced, added, or ("/-" of a list) appended.
nlohmann::json with(const std::string& pointer, const nlohmann::json& value);

/// The example without the value at a JSON pointer.
nlohmann::json without(const std::string& pointer);

}  // namespace plait::testing
