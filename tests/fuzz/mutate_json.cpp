// mutate_json.cpp: picks places in a JSON document and changes what stands there.
#include "mutate_json.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace plait::testing {
namespace {

using nlohmann::json;
using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t bound) {
  return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

/// Every value of the document that is not the document itself, with the container it is in.
void collect(json& container, std::vector<std::pair<json*, json*>>& places) {
  for (json& value : container) {
    places.emplace_back(&container, &value);
    if (value.is_structured()) collect(value, places);
  }
}

json mutated_text(const json& value) {
  constexpr std::size_t kRoom = 64;
  std::string text = value.get<std::string>();
  const std::size_t size = text.size();
  text.resize(size + kRoom);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, size + kRoom));
  return text;
}

json mutated_number(const json& value, Random& random) {
  const auto number = value.get<double>();
  const std::vector<json> choices = {
      0,
      1,
      -1,
      2,
      number + 1,
      number - 1,
      -number,
      number * 2,
      number / 3,
      static_cast<std::int64_t>(below(random, 200)),
      std::numeric_limits<std::int64_t>::max(),
      std::numeric_limits<std::int64_t>::min(),
      std::numeric_limits<std::uint64_t>::max(),
      std::numeric_limits<double>::max(),
      std::numeric_limits<double>::denorm_min(),
      std::int64_t{1} << below(random, 62),
      1e-39,
  };
  return choices[below(random, choices.size())];
}

json of_other_kind(Random& random) {
  const std::array<json, 9> choices = {
      nullptr, true, 0, -1.5, "", "batch", json::array(), json::object(), json::array({"x"})};
  return choices[below(random, choices.size())];
}

void change_list(json& list, Random& random) {
  if (list.empty()) {
    list.push_back(of_other_kind(random));
    return;
  }
  const std::size_t index = below(random, list.size());
  const json element = list[index];
  switch (below(random, 4)) {
    case 0:
      list.erase(index);
      break;
    case 1:
      list.push_back(element);
      break;
    case 2:
      std::swap(list[index], list[below(random, list.size())]);
      break;
    default:
      for (std::size_t count = below(random, 80); count > 0; --count) list.push_back(element);
  }
}

void change_object(json& object, Random& random) {
  if (object.empty()) {
    object["name"] = of_other_kind(random);
    return;
  }
  auto entry = object.begin();
  std::advance(entry, static_cast<std::ptrdiff_t>(below(random, object.size())));
  const std::string key = entry.key();
  const json value = entry.value();
  switch (below(random, 3)) {
    case 0:
      object.erase(key);
      break;
    case 1:
      object[mutated_text(key).get<std::string>()] = value;
      break;
    default:
      object.erase(key);
      object[mutated_text(key).get<std::string>()] = value;
  }
}

void change_one(json& document, Random& random) {
  std::vector<std::pair<json*, json*>> places;
  collect(document, places);
  if (places.empty()) return;
  json& value = *places[below(random, places.size())].second;
  const std::size_t action = below(random, 10);
  if (action == 0) {
    const json other = *places[below(random, places.size())].second;
    value = other;
  } else if (action == 1 || value.is_null() || value.is_boolean()) {
    value = of_other_kind(random);
  } else if (value.is_string()) {
    value = mutated_text(value);
  } else if (value.is_number()) {
    value = mutated_number(value, random);
  } else if (value.is_array()) {
    change_list(value, random);
  } else {
    change_object(value, random);
  }
}

}  // namespace

std::string mutate_json(std::string_view text, Random& random) {
  constexpr std::size_t kMostChanges = 4;
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return std::string(text);
  for (std::size_t count = 1 + below(random, kMostChanges); count > 0; --count) {
    change_one(document, random);
  }
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace plait::testing
