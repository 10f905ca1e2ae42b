// ops/copy_rows.cuh: rows that kernels move and never compute with: a warp for each.
#pragma once

#include "ops/cuda.cuh"

namespace plait::ops::cuda {

inline constexpr int kWarpsOfCopies = 8;
/// Of kernels that give each row a warp: threadIdx.x is the lane, threadIdx.y the warp.
inline constexpr int kThreadsOfCopies = kWarpSize * kWarpsOfCopies;

/// The number of this warp among all of a launch, and how many there are.
__device__ inline std::int64_t first_row() {
  return std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
}
__device__ inline std::int64_t row_step() { return std::int64_t{gridDim.x} * blockDim.y; }

/// A warp writes a row of channels, a whole number of packs: of from, or zeros for nullptr.
template <int kWidth, typename T>
__device__ inline void copy_row(const T* from, T* to, std::int64_t channels) {
  Pack<T, kWidth> pack;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) set(pack.values[i], 0.0F);
  for (std::int64_t c = std::int64_t{threadIdx.x} * kWidth; c < channels;
       c += std::int64_t{kWarpSize} * kWidth) {
    if (from != nullptr) pack = *reinterpret_cast<const Pack<T, kWidth>*>(from + c);
    *reinterpret_cast<Pack<T, kWidth>*>(to + c) = pack;
  }
}

/// How to launch a kernel that gives each of so many rows a warp.
inline Launch launch_of_rows(const char* where, CudaStream stream, std::int64_t rows) {
  return {.where = where,
          .stream = stream,
          .blocks = blocks_for(rows, kWarpsOfCopies),
          .threads = dim3(kWarpSize, kWarpsOfCopies)};
}

}  // namespace plait::ops::cuda
