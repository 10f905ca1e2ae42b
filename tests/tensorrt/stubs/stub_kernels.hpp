// stub_kernels.hpp: how tests steer the stub of libplait_cuda, and what it saw.
#pragma once

#include <atomic>

namespace plait::stub {

struct KernelControl {
  std::atomic<int> frames{0};       ///< queued so far
  std::atomic<bool> refuse{false};  ///< as a device without memory for the launch
};

}  // namespace plait::stub

extern "C" plait::stub::KernelControl* plait_stub_kernels();
