// base/cuda.cuh: what all CUDA kernels share: shared memory, packs of elements, launches.
//
// Kernels are plain CUDA C++ that runs unchanged on a device and in the host emulation of the
// tests, which includes its own cuda_runtime.h and cuda_fp16.h. So they launch through launch()
// below instead of <<<>>>, and declare shared memory through the two macros.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "plait/error.hpp"

/// PLAIT_SHARED(float, partial, 8): float partial[8] in memory that a block's threads share.
/// PLAIT_DYNAMIC_SHARED(float, row): float* row, of as many bytes as the launch says.
/// What is in it at first is undefined.
#ifndef PLAIT_SHARED
#define PLAIT_SHARED(Type, name, count) __shared__ Type name[count]
#define PLAIT_DYNAMIC_SHARED(Type, name)                                 \
  extern __shared__ __align__(16) unsigned char dynamic_shared_##name[]; \
  Type* name = reinterpret_cast<Type*>(dynamic_shared_##name)
#endif

namespace plait::cuda {

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(__half value) { return __half2float(value); }
__device__ inline void set(float& target, float value) { target = value; }
__device__ inline void set(__half& target, float value) { target = __float2half_rn(value); }

/// Elements that lie side by side and are read or written in one instruction.
template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth) Pack {
  T values[kWidth];
};

/// Blocks for so many items; a kernel loops where a grid cannot have that many.
inline unsigned blocks_for(std::int64_t items, std::int64_t items_per_block) {
  const std::int64_t blocks = (items + items_per_block - 1) / items_per_block;
  return static_cast<unsigned>(
      std::min<std::int64_t>(blocks, std::numeric_limits<std::int32_t>::max()));
}

/// Where and how a kernel runs. blocks is at least 1: with nothing to do, launch nothing.
struct Launch {
  const char* where;  ///< "operator GatedFusion": of errors
  cudaStream_t stream = nullptr;
  unsigned blocks = 1;
  dim3 threads{1};
  std::size_t shared_bytes = 0;
};

/// Queues a kernel.
template <typename... Parameters, typename... Values>
cudaError_t try_launch(const Launch& how, void (*kernel)(Parameters...), const Values&... values) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(how.blocks);
  config.blockDim = how.threads;
  config.dynamicSmemBytes = how.shared_bytes;
  config.stream = how.stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(values)...);
}

/// Queues a kernel. Throws BackendError where CUDA refuses it.
template <typename... Parameters, typename... Values>
void launch(const Launch& how, void (*kernel)(Parameters...), const Values&... values) {
  const cudaError_t error = try_launch(how, kernel, values...);
  if (error == cudaSuccess) return;
  throw BackendError({.where = std::string(how.where) + " on CUDA",
                      .expected = "a kernel launch",
                      .got = cudaGetErrorString(error),
                      .action = ""});
}

}  // namespace plait::cuda
