// bev_pool/cuda.cu: features with channels last, then a warp for each cell and 32 of its channels.
#include "ops/bev_pool/op.hpp"
#include "ops/cuda.cuh"

namespace plait::ops {
namespace {

constexpr int kTile = cuda::kWarpSize;
constexpr int kWarps = 8;
/// A column more than a tile is wide, so that neither its rows nor its columns share a bank.
using TileRow = float[kTile + 1];

template <typename T>
struct Pooling {
  const T* depth;
  const T* context;
  const std::int32_t* depths;
  const std::int32_t* pixels;
  const std::int32_t* offsets;
  T* features;  ///< [cameras, height x width, channels]
  T* y;
  std::int64_t depth_count;
  std::int64_t points;
  std::int64_t cameras;
  std::int64_t channels;
  std::int64_t plane;
  std::int64_t cells;

  __device__ std::int64_t channel_tiles() const { return (channels + kTile - 1) / kTile; }
};

/// context [camera][channel][pixel] -> features [camera][pixel][channel], tile by tile.
template <typename T>
__global__ void __launch_bounds__(kTile* kWarps) turn(Pooling<T> pooling) {
  PLAIT_SHARED(TileRow, tile, kTile);
  const std::int64_t across = (pooling.plane + kTile - 1) / kTile;
  const std::int64_t down = pooling.channel_tiles();
  for (std::int64_t i = blockIdx.x; i < pooling.cameras * down * across; i += gridDim.x) {
    const std::int64_t camera = i / (down * across);
    const std::int64_t channel = i / across % down * kTile;
    const std::int64_t pixel = i % across * kTile;
    for (int row = threadIdx.y; row < kTile; row += kWarps) {
      if (channel + row >= pooling.channels || pixel + threadIdx.x >= pooling.plane) continue;
      const std::int64_t line = camera * pooling.channels + channel + row;
      tile[row][threadIdx.x] =
          cuda::to_float(pooling.context[line * pooling.plane + pixel + threadIdx.x]);
    }
    __syncthreads();
    for (int row = threadIdx.y; row < kTile; row += kWarps) {
      if (pixel + row >= pooling.plane || channel + threadIdx.x >= pooling.channels) continue;
      const std::int64_t line = camera * pooling.plane + pixel + row;
      cuda::set(pooling.features[line * pooling.channels + channel + threadIdx.x],
                tile[threadIdx.x][row]);
    }
    __syncthreads();
  }
}

/// The sum of a cell's points in one channel. The lanes of a warp fetch 32 points at once and then
/// tell them to one another; all lanes come here together.
template <typename T>
__device__ float pool_cell(const Pooling<T>& pooling, std::int64_t cell, std::int64_t channel) {
  const std::int64_t begin = max(std::int64_t{pooling.offsets[cell]}, std::int64_t{0});
  const std::int64_t end = min(std::int64_t{pooling.offsets[cell + 1]}, pooling.points);
  const bool own = channel < pooling.channels;
  float sum = 0.0F;
  for (std::int64_t first = begin; first < end; first += kTile) {
    float weight = 0.0F;
    int pixel = -1;
    if (first + threadIdx.x < end) {
      const std::int32_t depth = pooling.depths[first + threadIdx.x];
      pixel = pooling.pixels[first + threadIdx.x];
      // Points that lie outside of what they index are left out.
      const bool inside = depth >= 0 && depth < pooling.depth_count && pixel >= 0 &&
                          pixel < pooling.cameras * pooling.plane;
      if (inside) {
        weight = cuda::to_float(pooling.depth[depth]);
      } else {
        pixel = -1;
      }
    }
    const int count = static_cast<int>(min(end - first, std::int64_t{kTile}));
    for (int point = 0; point < count; ++point) {
      const float factor = __shfl_sync(cuda::kWholeWarp, weight, point);
      const int from = __shfl_sync(cuda::kWholeWarp, pixel, point);
      if (own && from >= 0) {
        sum += factor * cuda::to_float(pooling.features[from * pooling.channels + channel]);
      }
    }
  }
  return sum;
}

/// A block for 32 cells and 32 channels, turned on the way out: the output has channels first.
template <typename T>
__global__ void __launch_bounds__(kTile* kWarps) pool(Pooling<T> pooling) {
  PLAIT_SHARED(TileRow, sums, kTile);
  const std::int64_t across = (pooling.cells + kTile - 1) / kTile;
  for (std::int64_t i = blockIdx.x; i < across * pooling.channel_tiles(); i += gridDim.x) {
    const std::int64_t cell = i % across * kTile;
    const std::int64_t channel = i / across * kTile;
    for (int row = threadIdx.y; row < kTile && cell + row < pooling.cells; row += kWarps) {
      sums[row][threadIdx.x] = pool_cell(pooling, cell + row, channel + threadIdx.x);
    }
    __syncthreads();
    for (int row = threadIdx.y; row < kTile && channel + row < pooling.channels; row += kWarps) {
      if (cell + threadIdx.x >= pooling.cells) continue;
      cuda::set(pooling.y[(channel + row) * pooling.cells + cell + threadIdx.x],
                sums[threadIdx.x][row]);
    }
    __syncthreads();
  }
}

template <typename T>
void run(const Arguments& arguments, CudaStream stream) {
  const Shape& context = arguments.shape(1);
  const Pooling<T> pooling{arguments.input<T>(0).data(),
                           arguments.input<T>(1).data(),
                           arguments.input<std::int32_t>(2).data(),
                           arguments.input<std::int32_t>(3).data(),
                           arguments.input<std::int32_t>(4).data(),
                           reinterpret_cast<T*>(arguments.scratch.data()),
                           arguments.output<T>(0).data(),
                           arguments.shape(0).elements(),
                           arguments.shape(2)[0],
                           context[0],
                           context[1],
                           context[2] * context[3],
                           arguments.shape(4)[0] - 1};
  if (pooling.cells == 0 || pooling.channels == 0) return;
  const auto tiles = [](std::int64_t count) { return (count + kTile - 1) / kTile; };
  cuda::Launch how{.where = "operator BevPool", .stream = stream, .threads = dim3(kTile, kWarps)};
  if (pooling.cameras > 0 && pooling.plane > 0) {
    how.blocks =
        cuda::blocks_for(pooling.cameras * tiles(pooling.channels) * tiles(pooling.plane), 1);
    cuda::launch(how, &turn<T>, pooling);
  }
  how.blocks = cuda::blocks_for(tiles(pooling.cells) * tiles(pooling.channels), 1);
  cuda::launch(how, &pool<T>, pooling);
}

}  // namespace

std::size_t BevPool::cuda_scratch_bytes(std::span<const ConstTensorView> inputs) const {
  return inputs[1].bytes();
}

void BevPool::run_cuda(const Arguments& arguments, CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(arguments, stream);
  } else {
    run<__half>(arguments, stream);
  }
}

}  // namespace plait::ops
