// manifest_generation.hpp: the section of a head of kind "generation", and what its step graph is.
#pragma once

#include <vector>

#include "base/json_reader.hpp"
#include "plait/manifest.hpp"

namespace plait::detail {

inline constexpr std::int64_t kMaxLayers = 64;
inline constexpr std::int64_t kMaxMemoryParts = 256;
/// Inputs or outputs of a step graph: token, position, presence, the memory and the cache.
inline constexpr std::size_t kMaxStepTensors = 3 + kMaxMemoryParts + 2 * kMaxLayers;

/// Throws BundleError.
GenerationDescription parse_generation(const JsonReader& reader);

/// What the step graph has to take and give, in order. memory: the shape of the memory graph's
/// output, [-1, parts, ...].
std::vector<TensorDescription> step_inputs(const GenerationDescription& described,
                                           const std::vector<std::int64_t>& memory,
                                           std::size_t modalities);
std::vector<TensorDescription> step_outputs(const GenerationDescription& described);

}  // namespace plait::detail
