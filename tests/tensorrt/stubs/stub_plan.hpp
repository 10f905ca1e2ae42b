// stub_plan.hpp: plans of the stub of libnvinfer: their text, and what running them computes.
#pragma once

#include <NvInferRuntime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "stub_tensorrt.hpp"

namespace plait::stub {

using namespace nvinfer1;

struct IoTensor {
  std::string name;
  TensorIOMode mode = TensorIOMode::kNONE;
  DataType type = DataType::kFLOAT;
  Dims dims{};
};

struct Plan {
  float scale = 1.0F;
  std::int64_t least = 1;
  std::int64_t most = 1;
  std::vector<IoTensor> tensors;

  const IoTensor* find(const char* name) const {
    for (const IoTensor& tensor : tensors) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }
};

inline std::unique_ptr<Plan> parse(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != kPlanMark) return nullptr;
  auto plan = std::make_unique<Plan>();
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "scale") {
      words >> plan->scale;
    } else if (kind == "batches") {
      words >> plan->least >> plan->most;
    } else {
      IoTensor tensor;
      int type = 0;
      words >> tensor.name >> type;
      tensor.type = static_cast<DataType>(type);
      tensor.mode = kind == "input" ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT;
      while (words >> tensor.dims.d[tensor.dims.nbDims]) ++tensor.dims.nbDims;
      plan->tensors.push_back(tensor);
    }
  }
  return plan;
}

inline std::size_t size_of(DataType type) {
  switch (type) {
    case DataType::kINT64:
      return 8;
    case DataType::kFLOAT:
    case DataType::kINT32:
      return 4;
    case DataType::kHALF:
      return 2;
    default:
      return 1;
  }
}

inline float value_of(const void* data, DataType type, std::size_t index) {
  if (type == DataType::kINT64)
    return static_cast<float>(static_cast<const std::int64_t*>(data)[index]);
  if (type == DataType::kUINT8)
    return static_cast<float>(static_cast<const std::uint8_t*>(data)[index]);
  return static_cast<const float*>(data)[index];
}

inline std::size_t sample_elements(const Dims& dims) {
  std::size_t elements = 1;
  for (std::int32_t i = 1; i < dims.nbDims; ++i) elements *= static_cast<std::size_t>(dims.d[i]);
  return elements;
}

/// One enqueue: what to read, what to write.
struct Call {
  struct Side {
    void* data = nullptr;
    DataType type = DataType::kFLOAT;
    std::size_t elements = 0;  // of a sample
  };
  float scale = 1.0F;
  std::size_t samples = 0;
  std::vector<Side> inputs;
  std::vector<Side> outputs;

  void run() const {
    for (std::size_t j = 0; j < outputs.size(); ++j) {
      auto* const y = static_cast<float*>(outputs[j].data);
      for (std::size_t b = 0; b < samples; ++b) {
        for (std::size_t i = 0; i < outputs[j].elements; ++i) {
          float sum = 0.0F;
          for (std::size_t k = 0; k < inputs.size(); ++k) {
            const Side& x = inputs[k];
            sum += static_cast<float>(k + 1) *
                   value_of(x.data, x.type, b * x.elements + i % x.elements);
          }
          y[b * outputs[j].elements + i] = static_cast<float>(j) + scale * sum;
        }
      }
    }
  }
};

}  // namespace plait::stub
