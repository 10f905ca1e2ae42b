// stub_tensorrt.hpp: how tests steer the stub of libnvinfer, and the plans that it runs.
//
// A plan is text: a first line kPlanMark, then "scale FLOAT", "batches LEAST MOST" (of tensors
// whose first dimension is -1), and a line "input|output NAME DTYPE DIMENSION..." each, DTYPE being
// TensorRT's number. Output j of a sample is y[i] = j + scale * sum over inputs k of (k + 1) *
// x_k[i mod size of x_k].
#pragma once

#include <atomic>
#include <string>

namespace plait::stub {

inline constexpr const char* kPlanMark = "plan of the stub";

struct TensorRtControl {
  std::atomic<bool> refuse_runtime{false};
  std::atomic<bool> refuse_context{false};
  std::atomic<bool> refuse_shape{false};
  std::atomic<int> enqueues_until_failure{-1};  ///< -1: none fails
  std::atomic<bool> uncapturable{false};        ///< each enqueue waits for its stream
  std::atomic<bool> refuse_plugins{false};
  std::atomic<bool> linear{true};  ///< else tensors are vectorised

  std::atomic<int> runtimes{0};  ///< alive
  std::atomic<int> engines{0};
  std::atomic<int> contexts{0};
  std::atomic<int> enqueues{0};         ///< in all
  std::atomic<int> wrong_addresses{0};  ///< not the device's, or not aligned to 256 bytes
  std::atomic<int> plugin_libraries{0};
  std::atomic<int> linked_version{0};  ///< what the last runtime was created with
};

}  // namespace plait::stub

extern "C" plait::stub::TensorRtControl* plait_stub_tensorrt();
