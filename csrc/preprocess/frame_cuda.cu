// frame_cuda.cu: a block of threads computes a tile of one row of the encoder's input: vertical
// sums of the bytes under it into shared memory, then each thread its own pixel's horizontal sums.
//
// The two passes are one kernel: a row's sums never leave the block, and no scratch is needed. A
// tile whose pixels have more sums than shared memory holds takes them in pieces. Bytes are read
// side by side, four at a time where rows are aligned for that, and so are weights.
//
// Every operation is that of the plain loops (frame_kernels_scalar.cpp), in their order and rounded
// alone: __fmul_rn and __fadd_rn are what the compiler may not join.
#include "base/cuda.cuh"
#include "preprocess/frame_cuda_call.hpp"

namespace plait::detail {
namespace {

constexpr int kThreads = kFrameTile;
/// At least so many on a multiprocessor: 80 registers a thread, of which no target spills any.
constexpr int kBlocks = 6;
constexpr int kPack = 4;
/// 16-bit sums in shared memory: 8 KiB, so that a multiprocessor holds as many blocks as it can.
constexpr int kSums = 4096;

using SumPack = cuda::Pack<std::int16_t, kPack>;
using BytePack = cuda::Pack<std::uint8_t, kPack>;

template <typename T>
__device__ const T* table(const FrameCudaCall& call, std::int64_t begin) {
  return reinterpret_cast<const T*>(call.tables + begin);
}

__device__ std::int16_t rounded(int total, int shift) {
  return static_cast<std::int16_t>(min(max(total >> shift, -32768), 32767));
}

/// Rows of bytes that one row of the window is made of.
struct ByteRows {
  const std::uint8_t* first;
  std::int64_t stride;
  int count;
  const std::int16_t* weights;
  int shift;
};

/// sums[i] of the rows' bytes begin + i, i < bytes. The threads of a block share them out.
__device__ void sum_rows(const ByteRows& rows, std::int64_t begin, int bytes, SumPack* sums) {
  const std::uint8_t* const first = rows.first + begin;
  const bool aligned =
      (reinterpret_cast<std::uintptr_t>(first) | static_cast<std::uintptr_t>(rows.stride)) %
          kPack ==
      0;
  const int half = rows.shift > 0 ? 1 << (rows.shift - 1) : 0;
  for (int i = static_cast<int>(threadIdx.x) * kPack; i < bytes; i += kThreads * kPack) {
    int totals[kPack] = {half, half, half, half};
    const std::uint8_t* at = first + i;
    if (aligned && i + kPack <= bytes) {
      for (int k = 0; k < rows.count; ++k, at += rows.stride) {
        const auto pack = *reinterpret_cast<const BytePack*>(at);
        const int weight = rows.weights[k];
#pragma unroll
        for (int j = 0; j < kPack; ++j) totals[j] += weight * pack.values[j];
      }
    } else {
      for (int k = 0; k < rows.count; ++k, at += rows.stride) {
        const int weight = rows.weights[k];
#pragma unroll
        for (int j = 0; j < kPack; ++j) {
          if (i + j < bytes) totals[j] += weight * at[j];
        }
      }
    }
    SumPack made;
#pragma unroll
    for (int j = 0; j < kPack; ++j) made.values[j] = rounded(totals[j], rows.shift);
    sums[i / kPack] = made;
  }
}

/// Adds a group's levels of this thread's pixel; column is negative where that is border. All
/// threads of the block take part.
template <int kComponents>
__device__ void add_group(const FrameCudaCall& call, const FrameCudaGroup& group, int row, int tile,
                          int column, SumPack* packs, float (&levels)[3]) {
  const FrameTaps own_rows = table<FrameTaps>(call, group.row_taps)[row];
  const ByteRows rows{
      call.planes[group.plane] + own_rows.first * call.strides[group.plane],
      call.strides[group.plane], own_rows.count,
      table<std::int16_t>(call, group.row_weights) + std::int64_t{row} * group.widest, group.shift};
  const FrameTaps pixels = table<FrameTaps>(call, group.tile_taps)[tile];
  const FrameTaps own =
      column >= 0 ? table<FrameTaps>(call, group.column_taps)[column] : FrameTaps{0, 0};
  const std::int16_t* const weights =
      table<std::int16_t>(call, group.column_weights) + max(column, 0);
  const auto* const sums = reinterpret_cast<const std::int16_t*>(packs);
  // Pieces begin at multiples of four pixels, so that packs of bytes are aligned in every format.
  const int piece = kSums / group.step / kPack * kPack;
  const int pixels_end = pixels.first + pixels.count;
  int totals[kComponents] = {};
  for (int begin = pixels.first / kPack * kPack; begin < pixels_end; begin += piece) {
    const int end = min(begin + piece, pixels_end);
    __syncthreads();  // nobody still reads earlier sums
    sum_rows(rows, std::int64_t{begin} * group.step, (end - begin) * group.step, packs);
    __syncthreads();
    const int last = min(own.first + own.count, end);
    for (int pixel = max(own.first, begin); pixel < last; ++pixel) {
      const int weight = weights[std::int64_t{pixel - own.first} * call.columns];
      const std::int16_t* const at = sums + (pixel - begin) * group.step;
#pragma unroll
      for (int c = 0; c < kComponents; ++c) totals[c] += weight * at[group.offsets[c]];
    }
  }
#pragma unroll
  for (int c = 0; c < kComponents; ++c) {
    const float level = __fmul_rn(static_cast<float>(totals[c]), group.scale);
    // Written out: an index that is not known when compiling would put the levels in memory.
    const int target = group.targets[c];
    levels[0] = target == 0 ? level : levels[0];
    levels[1] = target == 1 ? level : levels[1];
    levels[2] = target == 2 ? level : levels[2];
  }
}

/// A channel's value of three levels, in the encoder's units.
__device__ float finished(const FrameCudaCall& call, int c, const float (&levels)[3]) {
  const float* const m = call.matrix[c];
  float level = __fadd_rn(__fmul_rn(m[0], levels[0]), __fmul_rn(m[1], levels[1]));
  level = __fadd_rn(__fadd_rn(level, __fmul_rn(m[2], levels[2])), call.offset[c]);
  level = level < 0.0F ? 0.0F : level;
  level = call.maximum < level ? call.maximum : level;
  return __fadd_rn(__fmul_rn(level, call.scale[c]), call.bias[c]);
}

__device__ void store(float value, float* out) { *out = value; }
__device__ void store(float value, __half* out) { *out = __float2half_rn(value); }
__device__ void store(float value, std::uint8_t* out) {
  *out = static_cast<std::uint8_t>(rintf(value));
}

template <typename T>
__global__ void __launch_bounds__(kThreads, kBlocks)
    prepare(const __grid_constant__ FrameCudaCall call) {
  PLAIT_SHARED(SumPack, packs, kSums / kPack);
  const int tiles = (call.output_width + kThreads - 1) / kThreads;
  const int tile = static_cast<int>(blockIdx.x) % tiles;
  const int y = static_cast<int>(blockIdx.x) / tiles;
  const int x = tile * kThreads + static_cast<int>(threadIdx.x);
  const int row = y - call.top;
  const bool framed = row >= 0 && row < call.rows;
  const bool inside = framed && x >= call.left && x < call.left + call.columns;
  const int column = inside ? x - call.left : -1;
  float levels[3] = {};
#pragma unroll 1
  for (int g = 0; framed && g < call.group_count; ++g) {
    const FrameCudaGroup& group = call.groups[g];
    if (group.components == 1) add_group<1>(call, group, row, tile, column, packs, levels);
    if (group.components == 2) add_group<2>(call, group, row, tile, column, packs, levels);
    if (group.components == 3) add_group<3>(call, group, row, tile, column, packs, levels);
  }
  if (x >= call.output_width) return;
  if (call.level_count == 1) {
    levels[1] = levels[0];
    levels[2] = levels[0];
  }
  const std::int64_t pixel = std::int64_t{y} * call.output_width + x;
  const std::int64_t plane = std::int64_t{call.output_height} * call.output_width;
#pragma unroll
  for (int c = 0; c < 3; ++c) {
    if (c >= call.channels) break;
    const std::int64_t element =
        call.channels_first != 0 ? c * plane + pixel : pixel * call.channels + c;
    store(inside ? finished(call, c, levels) : call.border[c], static_cast<T*>(call.out) + element);
  }
}

}  // namespace
}  // namespace plait::detail

extern "C" __attribute__((visibility("default"))) const char* plait_cuda_prepare_frame(
    const plait::detail::FrameCudaCall* call, CUstream_st* stream) noexcept {
  using namespace plait::detail;
  if (call->version != kFrameCudaVersion) return "libplait_cuda of another version of Plait";
  const int tiles = (call->output_width + kThreads - 1) / kThreads;
  const plait::cuda::Launch how{
      .where = "a frame",
      .stream = stream,
      .blocks = static_cast<unsigned>(call->output_height) * static_cast<unsigned>(tiles),
      .threads = dim3(kThreads)};
  auto* const kernel = call->element_bytes == 4   ? &prepare<float>
                       : call->element_bytes == 2 ? &prepare<__half>
                                                  : &prepare<std::uint8_t>;
  const cudaError_t error = plait::cuda::try_launch(how, kernel, *call);
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}
