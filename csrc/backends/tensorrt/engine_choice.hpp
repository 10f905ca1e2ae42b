// engine_choice.hpp: which engine of the cache runs a graph, one sample at a time or in batches.
#pragma once

#include <string>

#include "backends/tensorrt/engine_cache.hpp"
#include "plait/manifest.hpp"

namespace plait::detail {

/// The profiles `plait build` gives a graph by default: one sample.
std::string single_profiles(const GraphDescription& graph);

/// The engine of the key, whose profiles are single_profiles(); else, of those that differ from it
/// in nothing but profiles, the one of the largest batches that takes one sample too. Throws as
/// EngineCache::find().
EngineLookup choose_engine(const EngineCache& cache, const EngineKey& key);

}  // namespace plait::detail
