// gated_fusion/cuda.cu: a block for each token, its sums kept in shared memory between the passes.
#include "ops/cuda.cuh"
#include "ops/gated_fusion/op.hpp"

namespace plait::ops {
namespace {

constexpr int kMostThreads = 256;

template <typename T>
struct Fusion {
  const T* gate;
  const T* x;
  const T* scale;
  const T* shift;
  T* y;
  std::int64_t modalities;
  std::int64_t tokens;
  std::int64_t channels;
  float epsilon;
};

/// kWidth channels' sums over the modalities, from element `at` of the first modality on.
template <int kWidth, typename T>
__device__ void sum_gated(const Fusion<T>& fusion, std::int64_t at, float (&sums)[kWidth]) {
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sums[i] = 0.0F;
  for (std::int64_t m = 0; m < fusion.modalities; ++m, at += fusion.tokens * fusion.channels) {
    float gates[kWidth];
    float values[kWidth];
    cuda::load(fusion.gate + at, gates);
    cuda::load(fusion.x + at, values);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sums[i] += values[i] / (1.0F + expf(-gates[i]));
  }
}

/// kKeep: the sums wait in shared memory; rows too long for that are summed anew in each pass.
/// Every thread reads back its own sums only, so that they need no barrier.
template <int kWidth, bool kKeep, typename T>
__global__ void __launch_bounds__(kMostThreads, 4) fuse(Fusion<T> fusion) {
  PLAIT_DYNAMIC_SHARED(float, row);
  const std::int64_t step = std::int64_t{blockDim.x} * kWidth;
  const std::int64_t own = std::int64_t{threadIdx.x} * kWidth;
  const auto channels = static_cast<float>(fusion.channels);
  for (std::int64_t token = blockIdx.x; token < fusion.tokens; token += gridDim.x) {
    const std::int64_t first = token * fusion.channels;
    float sums[kWidth];
    const auto sums_at = [&](std::int64_t c) {
      if constexpr (kKeep) {
#pragma unroll
        for (int i = 0; i < kWidth; ++i) sums[i] = row[c + i];
      } else {
        sum_gated(fusion, first + c, sums);
      }
    };
    float total = 0.0F;
    for (std::int64_t c = own; c < fusion.channels; c += step) {
      sum_gated(fusion, first + c, sums);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        if (kKeep) row[c + i] = sums[i];
        total += sums[i];
      }
    }
    const float mean = cuda::block_sum(total) / channels;
    float squares = 0.0F;
    for (std::int64_t c = own; c < fusion.channels; c += step) {
      sums_at(c);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) squares += (sums[i] - mean) * (sums[i] - mean);
    }
    const float variance = cuda::block_sum(squares) / channels;
    const float inverse = 1.0F / sqrtf(variance + fusion.epsilon);
    for (std::int64_t c = own; c < fusion.channels; c += step) {
      float scale[kWidth];
      float shift[kWidth];
      cuda::load(fusion.scale + c, scale);
      cuda::load(fusion.shift + c, shift);
      sums_at(c);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sums[i] = (sums[i] - mean) * inverse * scale[i] + shift[i];
      cuda::store(sums, fusion.y + first + c);
    }
  }
}

template <int kWidth, typename T>
void run_packs(const Fusion<T>& fusion, CudaStream stream) {
  const std::int64_t packs = fusion.channels / kWidth;
  const std::int64_t threads = (packs + cuda::kWarpSize - 1) / cuda::kWarpSize * cuda::kWarpSize;
  const std::size_t row = static_cast<std::size_t>(fusion.channels) * sizeof(float);
  const bool keep = row <= cuda::kMostSharedBytes;
  cuda::launch(
      {.where = "operator GatedFusion",
       .stream = stream,
       .blocks = cuda::blocks_for(fusion.tokens, 1),
       .threads = dim3(static_cast<unsigned>(std::min<std::int64_t>(threads, kMostThreads))),
       .shared_bytes = keep ? row : 0},
      keep ? &fuse<kWidth, true, T> : &fuse<kWidth, false, T>, fusion);
}

template <typename T>
void run(const Arguments& arguments, float epsilon, CudaStream stream) {
  const Shape& shape = arguments.shape(0);
  const Fusion<T> fusion{arguments.input<T>(0).data(),
                         arguments.input<T>(1).data(),
                         arguments.input<T>(2).data(),
                         arguments.input<T>(3).data(),
                         arguments.output<T>(0).data(),
                         shape[0],
                         shape[1],
                         shape[2],
                         epsilon};
  if (fusion.tokens == 0 || fusion.channels == 0) return;
  if (cuda::fit_packs<4>(fusion.channels, fusion.gate, fusion.x, fusion.scale, fusion.shift,
                         fusion.y)) {
    run_packs<4>(fusion, stream);
  } else {
    run_packs<1>(fusion, stream);
  }
}

}  // namespace

void GatedFusion::run_cuda(const Arguments& arguments, CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(arguments, epsilon, stream);
  } else {
    run<__half>(arguments, epsilon, stream);
  }
}

}  // namespace plait::ops
