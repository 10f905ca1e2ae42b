// engine_choice.cpp: looks for engines of other profiles where there is none of the usual one.
#include "backends/tensorrt/engine_choice.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace plait::detail {
namespace {

/// The largest batch that every input takes, of profiles that take one sample; else nothing, as for
/// text that is no profiles: another program may have stored it.
std::optional<std::int64_t> largest_batch(const std::string& profiles) {
  const nlohmann::json all = nlohmann::json::parse(profiles, nullptr, false);
  if (!all.is_object() || all.empty()) return std::nullopt;
  std::int64_t largest = INT64_MAX;
  for (const nlohmann::json& shapes : all) {
    constexpr std::size_t kShapes = 3;  // least, best, most
    if (!shapes.is_array() || shapes.size() != kShapes) return std::nullopt;
    for (const nlohmann::json& shape : shapes) {
      if (!shape.is_array() || shape.empty() || !shape[0].is_number_integer()) return std::nullopt;
    }
    const auto most = shapes[2][0].get<std::int64_t>();
    if (shapes[0][0].get<std::int64_t>() > 1 || most < 1) return std::nullopt;
    largest = std::min(largest, most);
  }
  return largest;
}

}  // namespace

std::string single_profiles(const GraphDescription& graph) {
  nlohmann::json profiles = nlohmann::json::object();
  for (const TensorDescription& input : graph.inputs) {
    std::vector<std::int64_t> shape = input.shape;
    if (shape.front() < 0) shape.front() = 1;
    profiles[input.name] = {shape, shape, shape};
  }
  return profiles.dump();
}

EngineLookup choose_engine(const EngineCache& cache, const EngineKey& key) {
  EngineLookup lookup = cache.find(key);
  if (lookup.engine) return lookup;
  std::optional<EngineKey> best;
  std::int64_t best_batch = 0;
  for (const EngineEntry& entry : cache.entries()) {
    EngineKey same = entry.description.key;
    same.profiles = key.profiles;
    if (!entry.problem.empty() || same != key) continue;
    const std::optional<std::int64_t> batch = largest_batch(entry.description.key.profiles);
    if (!batch || *batch <= best_batch) continue;
    best = entry.description.key;
    best_batch = *batch;
  }
  if (!best) return lookup;
  EngineLookup other = cache.find(*best);
  return other.engine ? std::move(other) : std::move(lookup);
}

}  // namespace plait::detail
