// generation_lane.cpp: one set of texts: their inputs, their cache and what they may say next.
#include "runtime/generation_lane.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace plait::detail {
namespace {

std::vector<Tensor> tensors(const std::vector<TensorDescription>& described, std::size_t batch) {
  std::vector<Tensor> made;
  made.reserve(described.size());
  for (const TensorDescription& tensor : described) {
    std::vector<std::int64_t> dims = tensor.shape;
    dims.front() = static_cast<std::int64_t>(batch);
    made.emplace_back(tensor.dtype, Shape(dims));
  }
  return made;
}

std::vector<TensorView> views(std::vector<Tensor>& tensors) {
  std::vector<TensorView> made;
  made.reserve(tensors.size());
  for (Tensor& tensor : tensors) made.push_back(tensor.view());
  return made;
}

}  // namespace

GenerationLane::GenerationLane(const GenerationDescription& described,
                               const GraphDescription& graph, Executable& step, std::size_t texts)
    : described_(described),
      texts_(texts),
      inputs_(tensors(graph.inputs, texts)),
      outputs_(tensors(graph.outputs, texts)),
      first_cache_(inputs_.size() - 2 * static_cast<std::size_t>(described.layers)),
      run_(step.bind(views(inputs_), views(outputs_))) {
  if (texts > 1) row_ = Tensor(DType::kFloat32, inputs_.back().shape());
}

void GenerationLane::remember(const ConstTensorView& memory, std::span<const float> presence) {
  const auto seen = inputs_[2].view().as_span<float>();
  const auto* part = static_cast<const std::byte*>(memory.data);
  for (std::size_t text = 0; text < texts_; ++text) {
    std::copy(presence.begin(), presence.end(),
              seen.begin() + static_cast<std::ptrdiff_t>(text * presence.size()));
  }
  for (std::size_t i = 3; i < first_cache_; ++i) {
    const TensorView input = inputs_[i].view();
    const std::size_t bytes = input.bytes() / texts_;
    for (std::size_t text = 0; text < texts_; ++text) {
      std::memcpy(static_cast<std::byte*>(input.data) + text * bytes, part, bytes);
    }
    part += bytes;
  }
}

void GenerationLane::say(std::size_t text, std::int64_t token) {
  inputs_[0].view().as_span<std::int64_t>()[text] = token;
}

void GenerationLane::step(std::size_t position) {
  for (std::int64_t& at : inputs_[1].view().as_span<std::int64_t>()) {
    at = static_cast<std::int64_t>(position);
  }
  run_->run();
  const auto size = static_cast<std::size_t>(described_.head_size);
  const auto length = static_cast<std::size_t>(described_.max_length);
  const std::size_t rows = texts_ * static_cast<std::size_t>(described_.heads);
  for (std::size_t i = first_cache_; i < inputs_.size(); ++i) {
    const auto* from = static_cast<const float*>(outputs_[i - first_cache_ + 1].view().data);
    float* to = static_cast<float*>(inputs_[i].view().data) + position * size;
    for (std::size_t row = 0; row < rows; ++row) {
      std::memcpy(to + row * length * size, from + row * size, size * sizeof(float));
    }
  }
}

std::span<const float> GenerationLane::logits(std::size_t text) const noexcept {
  const auto vocabulary = static_cast<std::size_t>(described_.vocabulary);
  return {static_cast<const float*>(outputs_[0].view().data) + text * vocabulary, vocabulary};
}

void GenerationLane::reorder(std::span<const std::size_t> parents, std::size_t length) {
  bool same = true;
  for (std::size_t text = 0; text < texts_; ++text) same = same && parents[text] == text;
  if (same) return;
  const auto heads = static_cast<std::size_t>(described_.heads);
  const std::size_t whole = static_cast<std::size_t>(described_.max_length * described_.head_size);
  const std::size_t bytes = length * static_cast<std::size_t>(described_.head_size) * sizeof(float);
  float* spare = static_cast<float*>(row_.view().data);
  for (std::size_t i = first_cache_; i < inputs_.size(); ++i) {
    float* cache = static_cast<float*>(inputs_[i].view().data);
    for (std::size_t row = 0; row < texts_ * heads; ++row) {
      std::memcpy(spare + row * whole, cache + row * whole, bytes);
    }
    for (std::size_t text = 0; text < texts_; ++text) {
      if (parents[text] == text) continue;
      for (std::size_t head = 0; head < heads; ++head) {
        std::memcpy(cache + (text * heads + head) * whole,
                    spare + (parents[text] * heads + head) * whole, bytes);
      }
    }
  }
}

void GenerationLane::clear() {
  for (std::size_t i = first_cache_; i < inputs_.size(); ++i) {
    const TensorView cache = inputs_[i].view();
    std::memset(cache.data, 0, cache.bytes());
  }
}

}  // namespace plait::detail
