// ops/cuda.cuh: what the operators' CUDA kernels share: element types, wide loads, sums, launches.
//
// Kernels are plain CUDA C++ that runs unchanged on a device and in the host emulation of the
// tests, which includes its own cuda_runtime.h and cuda_fp16.h. So they launch through launch()
// below instead of <<<>>>, declare shared memory through the two macros, and compute in float32
// whatever the element type: float16 is a way to store numbers, and no target needs more of it.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "ops/op.hpp"
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

namespace plait::ops::cuda {

inline constexpr unsigned kWholeWarp = 0xFFFFFFFFU;
inline constexpr int kWarpSize = 32;
/// Dynamic shared memory that every device gives a block, beside some static.
inline constexpr std::size_t kMostSharedBytes = std::size_t{44} * 1024;

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(__half value) { return __half2float(value); }
__device__ inline void set(float& target, float value) { target = value; }
__device__ inline void set(__half& target, float value) { target = __float2half_rn(value); }

/// Elements that lie side by side and are read or written in one instruction.
template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth) Pack {
  T values[kWidth];
};

/// Elements of the widest load, 16 bytes.
template <typename T>
inline constexpr int kWidest = 16 / static_cast<int>(sizeof(T));

template <int kWidth, typename T>
__device__ inline void load(const T* from, float (&to)[kWidth]) {
  const auto pack = *reinterpret_cast<const Pack<T, kWidth>*>(from);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) to[i] = to_float(pack.values[i]);
}

template <int kWidth, typename T>
__device__ inline void store(const float (&from)[kWidth], T* to) {
  Pack<T, kWidth> pack;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) set(pack.values[i], from[i]);
  *reinterpret_cast<Pack<T, kWidth>*>(to) = pack;
}

/// Whether rows of so many elements, one behind another in each tensor, can be read in packs.
template <int kWidth, typename... T>
bool fit_packs(std::int64_t row, const T*... tensors) {
  const auto aligned = [](const auto* tensor) {
    return reinterpret_cast<std::uintptr_t>(tensor) % (sizeof(*tensor) * kWidth) == 0;
  };
  return row % kWidth == 0 && (aligned(tensors) && ...);
}

/// The sum over the lanes of a warp, in every lane. All lanes take part.
__device__ inline float warp_sum(float value) {
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
    value += __shfl_xor_sync(kWholeWarp, value, lanes);
  }
  return value;
}

/// The sum over the threads of a block of whole warps, in every thread, always in the same order.
__device__ inline float block_sum(float value) {
  PLAIT_SHARED(float, partial, 32);
  const unsigned warps = blockDim.x / kWarpSize;
  value = warp_sum(value);
  if (warps == 1) return value;
  __syncthreads();  // nobody still reads an earlier sum
  if (threadIdx.x % kWarpSize == 0) partial[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  float sum = 0.0F;
  for (unsigned warp = 0; warp < warps; ++warp) sum += partial[warp];
  return sum;
}

/// The number of this thread among all of a launch in one dimension, and how many there are: of
/// loops that are right for any number of blocks.
__device__ inline std::int64_t first_item() {
  return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t item_step() { return std::int64_t{gridDim.x} * blockDim.x; }

/// Blocks for so many items; a kernel loops where a grid cannot have that many.
inline unsigned blocks_for(std::int64_t items, std::int64_t items_per_block) {
  const std::int64_t blocks = (items + items_per_block - 1) / items_per_block;
  return static_cast<unsigned>(
      std::min<std::int64_t>(blocks, std::numeric_limits<std::int32_t>::max()));
}

/// Where and how a kernel runs. blocks is at least 1: with nothing to do, launch nothing.
struct Launch {
  const char* where;  ///< "operator GatedFusion": of errors
  CudaStream stream = nullptr;
  unsigned blocks = 1;
  dim3 threads{1};
  std::size_t shared_bytes = 0;
};

/// Queues a kernel. Throws BackendError where CUDA refuses it.
template <typename... Parameters, typename... Values>
void launch(const Launch& how, void (*kernel)(Parameters...), const Values&... values) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(how.blocks);
  config.blockDim = how.threads;
  config.dynamicSmemBytes = how.shared_bytes;
  config.stream = how.stream;
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(values)...);
  if (error == cudaSuccess) return;
  throw BackendError({.where = std::string(how.where) + " on CUDA",
                      .expected = "a kernel launch",
                      .got = cudaGetErrorString(error),
                      .action = ""});
}

}  // namespace plait::ops::cuda
