// ops/cuda.cuh: what the operators' CUDA kernels share: wide loads of element types, and sums.
//
// Whatever the element type, they compute in float32: float16 is a way to store numbers, and no
// target needs more of it.
#pragma once

#include "base/cuda.cuh"
#include "ops/op.hpp"

namespace plait::ops::cuda {

using namespace plait::cuda;

inline constexpr unsigned kWholeWarp = 0xFFFFFFFFU;
inline constexpr int kWarpSize = 32;
/// Dynamic shared memory that every device gives a block, beside some static.
inline constexpr std::size_t kMostSharedBytes = std::size_t{44} * 1024;

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

}  // namespace plait::ops::cuda
