// engine_key.cpp: the canonical form of a key, its hash, and what tells two keys apart.
#include "backends/tensorrt/engine_key.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "base/quote.hpp"
#include "bundle/sha256.hpp"
#include "plait/error.hpp"

namespace plait::detail {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxField = 1 << 16;

struct Field {
  const char* name;
  const char* words;
  std::string EngineKey::*text;
  bool needed;
};

constexpr std::array<Field, 8> kFields = {{
    {"graph_sha256", "graph", &EngineKey::graph_sha256, true},
    {"precision", "precision", &EngineKey::precision, true},
    {"profiles", "profiles", &EngineKey::profiles, true},
    {"tensorrt", "TensorRT", &EngineKey::tensorrt, true},
    {"device", "device", &EngineKey::device, false},
    {"compute_capability", "compute capability", &EngineKey::compute_capability, true},
    {"driver", "driver", &EngineKey::driver, false},
    {"plugins", "plugins", &EngineKey::plugins, false},
}};

[[noreturn]] void refuse(const char* field, std::string expected, const std::string& got) {
  throw ConfigError({.where = std::string("engine key, ") + field,
                     .expected = std::move(expected),
                     .got = got,
                     .action = "Pass what the engine is built from and for."});
}

bool is_sha256(std::string_view text) {
  const auto hexadecimal = [](char digit) {
    return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
  };
  return text.size() == 64 && std::all_of(text.begin(), text.end(), hexadecimal);
}

std::string canonical_profiles(const std::string& text) {
  json profiles;
  try {
    profiles = parse_json(text, "profiles");
  } catch (const BundleError& error) {
    refuse("profiles", error.parts().expected, error.parts().got);
  }
  if (!profiles.is_object()) refuse("profiles", "a JSON object", quote(text));
  return profiles.dump();
}

}  // namespace

std::string EngineKey::json() const {
  if (!is_sha256(graph_sha256)) {
    refuse("graph_sha256", "64 lower-case hexadecimal digits", quote(graph_sha256));
  }
  nlohmann::json document;
  for (const Field& field : kFields) {
    const std::string& text = this->*field.text;
    if (text.size() > kMaxField) {
      refuse(field.name, "at most " + std::to_string(kMaxField) + " bytes",
             std::to_string(text.size()));
    }
    if (field.needed && text.empty()) refuse(field.name, "text that is not empty", "none");
    document[field.name] = text;
  }
  document["profiles"] = canonical_profiles(profiles);
  try {
    return document.dump();
  } catch (const nlohmann::json::exception& error) {
    refuse("text", "UTF-8", quote(error.what()));
  }
}

std::string EngineKey::hex() const {
  const std::string text = json();
  return sha256_hex(std::as_bytes(std::span(text)));
}

EngineKey read_engine_key(const JsonReader& json) {
  EngineKey key;
  for (const Field& field : kFields) key.*field.text = json.field(field.name).prose(kMaxField);
  return key;
}

std::string difference_of(const EngineKey& found, const EngineKey& wanted) {
  std::string words;
  for (const Field& field : kFields) {
    const std::string& before = found.*field.text;
    const std::string& now = wanted.*field.text;
    if (before == now) continue;
    words += (words.empty() ? "" : ", ") + std::string(field.words) + " " + quote(before) +
             " instead of " + quote(now);
  }
  return words;
}

}  // namespace plait::detail
