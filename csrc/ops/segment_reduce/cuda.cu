// segment_reduce/cuda.cu: a thread for each pack of a segment's channels; a block for long
// segments.
#include "ops/cuda.cuh"
#include "ops/segment_reduce/op.hpp"

namespace plait::ops {
namespace {

using Kind = SegmentReduce::Kind;

constexpr int kThreads = 256;
/// Warps that share out the rows of a long segment.
constexpr int kParts = kThreads / cuda::kWarpSize;
/// Rows a segment, on the average, from which on a whole block is worth it.
constexpr std::int64_t kLongSegment = 64;

template <typename T>
struct Reduction {
  const T* values;
  const std::int32_t* offsets;
  T* y;
  std::int64_t rows;
  std::int64_t segments;
  std::int64_t channels;
};

struct Range {
  std::int64_t begin;
  std::int64_t end;
};

/// Rows of a segment, wherever the offsets point.
template <typename T>
__device__ Range rows_of(const Reduction<T>& reduction, std::int64_t segment) {
  const std::int64_t begin = reduction.offsets[segment];
  const std::int64_t end = reduction.offsets[segment + 1];
  const std::int64_t first = min(max(begin, std::int64_t{0}), reduction.rows);
  return {first, max(first, min(end, reduction.rows))};
}

template <Kind kKind>
__device__ float joined(float a, float b) {
  if constexpr (kKind != Kind::kMax) return a + b;
  return b > a || (isnan(b) && !isnan(a)) ? b : a;
}

/// Every step-th of the rows from begin on, of which there is at least one, from channel c on.
template <Kind kKind, int kWidth, typename T>
__device__ void reduce_rows(const Reduction<T>& reduction, Range rows, std::int64_t step,
                            std::int64_t c, float (&result)[kWidth]) {
  const T* row = reduction.values + rows.begin * reduction.channels + c;
  cuda::load(row, result);
  for (std::int64_t r = rows.begin + step; r < rows.end; r += step) {
    row += step * reduction.channels;
    float values[kWidth];
    cuda::load(row, values);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) result[i] = joined<kKind>(result[i], values[i]);
  }
}

template <Kind kKind, int kWidth, typename T>
__device__ void write(const Reduction<T>& reduction, std::int64_t segment, std::int64_t c,
                      Range rows, float (&result)[kWidth]) {
  if constexpr (kKind == Kind::kMean) {
    const auto count = static_cast<float>(max(rows.end - rows.begin, std::int64_t{1}));
#pragma unroll
    for (int i = 0; i < kWidth; ++i) result[i] /= count;
  }
  cuda::store(result, reduction.y + segment * reduction.channels + c);
}

template <Kind kKind, int kWidth, typename T>
__global__ void __launch_bounds__(kThreads) reduce_short(Reduction<T> reduction) {
  const std::int64_t packs = reduction.channels / kWidth;
  const std::int64_t count = reduction.segments * packs;
  for (std::int64_t i = cuda::first_item(); i < count; i += cuda::item_step()) {
    const std::int64_t segment = i / packs;
    const std::int64_t c = (i - segment * packs) * kWidth;
    const Range rows = rows_of(reduction, segment);
    float result[kWidth] = {};
    if (rows.begin < rows.end) reduce_rows<kKind>(reduction, rows, 1, c, result);
    write<kKind>(reduction, segment, c, rows, result);
  }
}

/// A block for a segment and a warp's width of packs: each warp takes every kParts-th row, and the
/// first joins what they found, always in the same order.
template <Kind kKind, int kWidth, typename T>
__global__ void __launch_bounds__(kThreads, 4) reduce_long(Reduction<T> reduction) {
  using Packs = float[cuda::kWarpSize][kWidth];
  PLAIT_SHARED(Packs, found, kParts);
  constexpr std::int64_t kTile = std::int64_t{cuda::kWarpSize} * kWidth;
  const std::int64_t tiles = (reduction.channels + kTile - 1) / kTile;
  const unsigned lane = threadIdx.x % cuda::kWarpSize;
  const unsigned part = threadIdx.x / cuda::kWarpSize;
  for (std::int64_t tile = blockIdx.x; tile < tiles * reduction.segments; tile += gridDim.x) {
    const std::int64_t segment = tile / tiles;
    const std::int64_t c = (tile - segment * tiles) * kTile + std::int64_t{lane} * kWidth;
    const Range rows = rows_of(reduction, segment);
    const bool some = c < reduction.channels && rows.begin + part < rows.end;
    float result[kWidth] = {};
    if (some) reduce_rows<kKind>(reduction, {rows.begin + part, rows.end}, kParts, c, result);
    if (some) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) found[part][lane][i] = result[i];
    }
    __syncthreads();
    if (part == 0 && c < reduction.channels) {
      const std::int64_t parts = min(rows.end - rows.begin, std::int64_t{kParts});
      for (std::int64_t other = 1; other < parts; ++other) {
#pragma unroll
        for (int i = 0; i < kWidth; ++i) {
          result[i] = joined<kKind>(result[i], found[other][lane][i]);
        }
      }
      write<kKind>(reduction, segment, c, rows, result);
    }
    __syncthreads();
  }
}

template <Kind kKind, int kWidth, typename T>
void run_packs(const Reduction<T>& reduction, CudaStream stream) {
  const std::int64_t packs = reduction.channels / kWidth;
  const bool is_long = reduction.rows / reduction.segments >= kLongSegment;
  const std::int64_t tiles = (packs + cuda::kWarpSize - 1) / cuda::kWarpSize;
  const std::int64_t threads =
      reduction.segments * (is_long ? tiles * std::int64_t{kThreads} : packs);
  cuda::launch({.where = "operator SegmentReduce",
                .stream = stream,
                .blocks = cuda::blocks_for(threads, kThreads),
                .threads = dim3(kThreads)},
               is_long ? &reduce_long<kKind, kWidth, T> : &reduce_short<kKind, kWidth, T>,
               reduction);
}

template <Kind kKind, typename T>
void run_kind(const Reduction<T>& reduction, CudaStream stream) {
  if (cuda::fit_packs<4>(reduction.channels, reduction.values, reduction.y)) {
    run_packs<kKind, 4>(reduction, stream);
  } else {
    run_packs<kKind, 1>(reduction, stream);
  }
}

template <typename T>
void run(const Arguments& arguments, Kind kind, CudaStream stream) {
  const Reduction<T> reduction{
      arguments.input<T>(0).data(),  arguments.input<std::int32_t>(1).data(),
      arguments.output<T>(0).data(), arguments.shape(0)[0],
      arguments.shape(1)[0] - 1,     arguments.shape(0)[1]};
  if (reduction.segments == 0 || reduction.channels == 0) return;
  switch (kind) {
    case Kind::kSum:
      return run_kind<Kind::kSum>(reduction, stream);
    case Kind::kMean:
      return run_kind<Kind::kMean>(reduction, stream);
    case Kind::kMax:
      return run_kind<Kind::kMax>(reduction, stream);
  }
}

}  // namespace

void SegmentReduce::run_cuda(const Arguments& arguments, CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(arguments, kind, stream);
  } else {
    run<__half>(arguments, kind, stream);
  }
}

}  // namespace plait::ops
