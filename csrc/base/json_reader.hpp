// base/json_reader.hpp: typed access to a JSON document, with errors that name the place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/quote.hpp"

namespace plait::detail {

/// What to do about a manifest that makes no sense.
inline constexpr std::string_view kExportAgain =
    "The bundle was altered or written by other means: export it again.";

/// Parses a whole document. Refuses, beyond what JSON refuses: a key twice in one object, more than
/// 64 levels, more than a million values. Throws BundleError; where is the document's name.
nlohmann::json parse_json(std::string_view text, const std::string& where);

/// One value of a document and the path to it, such as modalities[0].signal.rate_hz. Views the
/// document, which must outlive it. Every method that finds something else than asked for throws
/// BundleError with that path.
class JsonReader {
 public:
  JsonReader(const nlohmann::json& value, std::string where, std::string path)
      : value_(&value), where_(std::move(where)), path_(std::move(path)) {}

  /// A field of this object.
  JsonReader field(const char* key) const;
  std::optional<JsonReader> optional_field(const char* key) const;
  /// All fields of this object, with their names, in the names' order.
  std::vector<std::pair<std::string, JsonReader>> fields() const;
  /// The elements of this list, of which there must be at least min and at most max.
  std::vector<JsonReader> elements(std::size_t min, std::size_t max) const;

  /// The same, where each is text.
  std::vector<std::string> texts(std::size_t min, std::size_t max) const;
  /// The same, none twice.
  std::vector<std::string> unique_texts(std::size_t min, std::size_t max) const;

  bool is_text() const noexcept;
  bool is_null() const noexcept;
  /// Text of 1 to max bytes without control characters.
  std::string text(std::size_t max = 256) const;
  /// Text of at most max bytes, of any kind.
  std::string prose(std::size_t max) const;
  /// A name: [a-z][a-z0-9_]*, at most 64 characters.
  std::string identifier() const;
  /// true or false.
  bool boolean() const;
  /// A whole number, written as one, in [min, max].
  std::int64_t integer(std::int64_t min, std::int64_t max) const;
  /// A finite number in [min, max].
  double number(double min, double max) const;
  /// A finite number greater than zero, at most max.
  double positive(double max) const;
  /// The value that one of these words stands for.
  template <typename Value, std::size_t count>
  Value choice(const std::pair<const char*, Value> (&choices)[count]) const {
    return choice(std::span<const std::pair<const char*, Value>>(choices));
  }
  template <typename Value>
  Value choice(std::span<const std::pair<const char*, Value>> choices) const {
    const std::string word = text();
    std::vector<std::string_view> words;
    for (const auto& [name, value] : choices) {
      if (word == name) return value;
      words.emplace_back(name);
    }
    fail(one_of(words), quote(word), "Upgrade plait if the bundle was made by a newer one.");
  }

  [[noreturn]] void fail(std::string expected, std::string got,
                         std::string_view action = kExportAgain) const;
  /// fail, with a description of this value as what was got.
  [[noreturn]] void fail(std::string expected) const;

  const std::string& path() const noexcept { return path_; }
  /// The document and the path: what an error message of this value begins with.
  std::string place() const { return path_.empty() ? where_ : where_ + ", " + path_; }

 private:
  std::string describe() const;

  const nlohmann::json* value_;
  std::string where_;
  std::string path_;
};

}  // namespace plait::detail
