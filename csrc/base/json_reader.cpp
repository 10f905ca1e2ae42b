// json_reader.cpp: parsing with limits, and typed access to fields.
#include "base/json_reader.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "plait/error.hpp"

namespace plait::detail {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxValues = 1'000'000;
constexpr std::size_t kMaxIdentifier = 64;

/// Watches the parser: stops it at a repeated key, at too deep or too large a document.
class ParseGuard {
 public:
  explicit ParseGuard(const std::string& where) : where_(where) {}

  void see(int depth, json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
        keys_.emplace_back();
        [[fallthrough]];
      case json::parse_event_t::array_start:
        if (depth >= kMaxDepth) {
          refuse("at most " + std::to_string(kMaxDepth) + " levels of nesting", "more");
        }
        count_value();
        break;
      case json::parse_event_t::key:
        check_key(parsed.get_ref<const std::string&>());
        break;
      case json::parse_event_t::object_end:
        keys_.pop_back();
        break;
      case json::parse_event_t::value:
        count_value();
        break;
      case json::parse_event_t::array_end:
        break;
    }
  }

 private:
  [[noreturn]] void refuse(std::string expected, std::string got) const {
    throw BundleError({.where = where_,
                       .expected = std::move(expected),
                       .got = std::move(got),
                       .action = std::string(kExportAgain)});
  }
  void count_value() {
    if (++values_ > kMaxValues) {
      refuse("at most " + std::to_string(kMaxValues) + " values", "more");
    }
  }
  void check_key(const std::string& key) {
    if (!keys_.back().insert(key).second) {
      refuse("each key once in an object", quote(key) + " twice");
    }
  }

  const std::string& where_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  std::size_t values_ = 0;
};

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

json parse_json(std::string_view text, const std::string& where) {
  ParseGuard guard(where);
  try {
    return json::parse(text.begin(), text.end(),
                       [&](int depth, json::parse_event_t event, json& parsed) {
                         guard.see(depth, event, parsed);
                         return true;
                       });
  } catch (const json::exception& error) {
    throw BundleError({.where = where,
                       .expected = "a JSON document",
                       .got = quote(error.what()),
                       .action = std::string(kExportAgain)});
  }
}

JsonReader JsonReader::field(const char* key) const {
  if (std::optional<JsonReader> found = optional_field(key)) return *std::move(found);
  fail("a field " + quote(key), "an object without it");
}

std::optional<JsonReader> JsonReader::optional_field(const char* key) const {
  if (!value_->is_object()) fail("an object");
  const auto found = value_->find(key);
  if (found == value_->end()) return std::nullopt;
  return JsonReader(*found, where_, path_.empty() ? key : path_ + "." + key);
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::fields() const {
  if (!value_->is_object()) fail("an object");
  std::vector<std::pair<std::string, JsonReader>> result;
  result.reserve(value_->size());
  for (const auto& [key, value] : value_->items()) {
    result.emplace_back(key, JsonReader(value, where_, path_ + "[" + quote(key) + "]"));
  }
  return result;
}

std::vector<JsonReader> JsonReader::elements(std::size_t min, std::size_t max) const {
  if (!value_->is_array()) fail("a list");
  if (value_->size() < min || value_->size() > max) {
    const std::string most = min == max ? "" : " to " + std::to_string(max);
    fail("a list of " + std::to_string(min) + most);
  }
  std::vector<JsonReader> result;
  result.reserve(value_->size());
  for (std::size_t index = 0; index < value_->size(); ++index) {
    result.emplace_back((*value_)[index], where_, path_ + "[" + std::to_string(index) + "]");
  }
  return result;
}

std::vector<std::string> JsonReader::texts(std::size_t min, std::size_t max) const {
  std::vector<std::string> result;
  for (const JsonReader& element : elements(min, max)) result.push_back(element.text());
  return result;
}

std::vector<std::string> JsonReader::unique_texts(std::size_t min, std::size_t max) const {
  std::vector<std::string> result;
  std::set<std::string> seen;
  for (const JsonReader& element : elements(min, max)) {
    result.push_back(element.text());
    if (!seen.insert(result.back()).second) {
      element.fail("each name once", quote(result.back()) + " twice");
    }
  }
  return result;
}

bool JsonReader::is_text() const noexcept { return value_->is_string(); }

bool JsonReader::is_null() const noexcept { return value_->is_null(); }

std::string JsonReader::prose(std::size_t max) const {
  if (!value_->is_string()) fail("text");
  const auto& text = value_->get_ref<const std::string&>();
  if (text.size() > max) fail("text of at most " + std::to_string(max) + " bytes");
  return text;
}

std::string JsonReader::text(std::size_t max) const {
  std::string result = prose(max);
  if (result.empty()) fail("text that is not empty");
  if (std::any_of(result.begin(), result.end(), is_control)) {
    fail("text without control characters");
  }
  return result;
}

std::string JsonReader::identifier() const {
  std::string name = prose(kMaxIdentifier);
  const auto lower = [](char character) { return character >= 'a' && character <= 'z'; };
  const auto allowed = [&](char character) {
    return lower(character) || (character >= '0' && character <= '9') || character == '_';
  };
  if (name.empty() || !lower(name.front()) || !std::all_of(name.begin(), name.end(), allowed)) {
    fail("a name such as left_wrist: a lower-case letter, then letters, digits, underscores");
  }
  return name;
}

bool JsonReader::boolean() const {
  if (!value_->is_boolean()) fail("true or false");
  return value_->get<bool>();
}

std::int64_t JsonReader::integer(std::int64_t min, std::int64_t max) const {
  const std::string expected =
      "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  if (!value_->is_number_integer()) fail(expected);
  if (value_->is_number_unsigned()) {
    const auto value = value_->get<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(INT64_MAX)) fail(expected);
  }
  const auto value = value_->get<std::int64_t>();
  if (value < min || value > max) fail(expected);
  return value;
}

double JsonReader::number(double min, double max) const {
  const std::string expected = "a number from " + json(min).dump() + " to " + json(max).dump();
  if (!value_->is_number()) fail(expected);
  const auto value = value_->get<double>();
  if (!std::isfinite(value) || value < min || value > max) fail(expected);
  return value;
}

double JsonReader::positive(double max) const {
  const double value = number(0.0, max);
  if (value <= 0.0) fail("a number greater than 0");
  return value;
}

void JsonReader::fail(std::string expected, std::string got, std::string_view action) const {
  throw BundleError({.where = place(),
                     .expected = std::move(expected),
                     .got = std::move(got),
                     .action = std::string(action)});
}

void JsonReader::fail(std::string expected) const { fail(std::move(expected), describe()); }

std::string JsonReader::describe() const {
  switch (value_->type()) {
    case json::value_t::object:
      return "an object";
    case json::value_t::array:
      return "a list of " + std::to_string(value_->size());
    case json::value_t::string:
      return "text " + quote(value_->get_ref<const std::string&>());
    case json::value_t::null:
      return "null";
    default:
      return value_->dump();
  }
}

}  // namespace plait::detail
