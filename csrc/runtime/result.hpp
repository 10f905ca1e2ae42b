// result.hpp: the memory behind a Result.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "plait/model.hpp"
#include "plait/tensor.hpp"

namespace plait {

class ResultImpl {
 public:
  std::shared_ptr<const ModelImpl> model;  // keeps the names that the answers view
  std::vector<HeadAnswer> heads;
  std::vector<ModalityReport> modalities;
  std::vector<Tensor> outputs;             // one per head, [values]
  std::vector<std::vector<float>> scores;  // one per head; empty where it is no classification
  std::chrono::nanoseconds total{0};
};

}  // namespace plait
