// generation_lane.hpp: the step graph bound to one set of texts side by side, with their cache.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backends/backend.hpp"
#include "plait/manifest.hpp"
#include "plait/tensor.hpp"

namespace plait::detail {

/// Everything is allocated and bound when it is made: a step runs the graph and copies each layer's
/// new key and value, one row a head, into the cache. Not thread-safe.
class GenerationLane {
 public:
  /// graph: the step's. texts: its batch.
  GenerationLane(const GenerationDescription& described, const GraphDescription& graph,
                 Executable& step, std::size_t texts);

  /// A new memory, [parts, ...], and the presence it rests on: the same for every text.
  void remember(const ConstTensorView& memory, std::span<const float> presence);
  /// The token that text says next.
  void say(std::size_t text, std::int64_t token);
  /// Runs the graph for what was said at this position, which is below max_length.
  void step(std::size_t position);
  /// [vocabulary] of what text may say next. Valid until the next step.
  std::span<const float> logits(std::size_t text) const noexcept;
  /// text i goes on with the cache of parents[i], of which `length` positions count.
  void reorder(std::span<const std::size_t> parents, std::size_t length);
  /// Empties the cache: after a failed step it may hold NaN, which no mask takes away.
  void clear();

 private:
  GenerationDescription described_;
  std::size_t texts_;
  std::vector<Tensor> inputs_;   // token, position, presence, memory, keys and values by layer
  std::vector<Tensor> outputs_;  // logits, new keys and values by layer
  std::size_t first_cache_;      // position among inputs_
  Tensor row_;                   // one cache tensor: what reorder copies from
  std::unique_ptr<BoundRun> run_;
};

}  // namespace plait::detail
