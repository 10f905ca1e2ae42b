// pillar_scatter/cuda.cu: points sorted by cell; then a warp for each cell and 32 of its channels.
#include "ops/cell_order.cuh"
#include "ops/pillar_scatter/op.hpp"

namespace plait::ops {
namespace {

using Kind = PillarScatter::Kind;

constexpr const char* kWhere = "operator PillarScatter";
constexpr int kThreads = 256;
constexpr int kTile = cuda::kWarpSize;
constexpr int kWarps = 8;
/// A column more than a tile is wide, so that neither its rows nor its columns share a bank.
using TileRow = float[kTile + 1];

template <typename T>
struct Scattering {
  const T* values;
  T* canvas;
  std::int32_t* begins;  // of a cell, the position of its first point; -1: none
  const CellItem* ordered;
  std::int64_t points;
  std::int64_t channels;
  std::int64_t plane;

  __device__ __host__ std::int64_t channel_tiles() const { return (channels + kTile - 1) / kTile; }
  __device__ __host__ std::int64_t cell_tiles() const { return (plane + kTile - 1) / kTile; }
};

template <typename T>
__global__ void __launch_bounds__(kThreads) forget_begins(Scattering<T> work) {
  for (std::int64_t i = cuda::first_item(); i < work.plane; i += cuda::item_step()) {
    work.begins[i] = -1;
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) find_begins(Scattering<T> work) {
  for (std::int64_t i = cuda::first_item(); i < work.points; i += cuda::item_step()) {
    const unsigned cell = work.ordered[i].cell;
    if (cell >= work.plane) return;  // left out, and so are all after it
    if (i == 0 || work.ordered[i - 1].cell != cell) {
      work.begins[cell] = static_cast<std::int32_t>(i);
    }
  }
}

template <Kind kKind, typename T>
__device__ float reduce_cell(const Scattering<T>& work, std::int64_t cell, std::int64_t channel) {
  const std::int64_t begin = work.begins[cell];
  if (begin < 0 || channel >= work.channels) return 0.0F;
  float total = 0.0F;
  std::int64_t i = begin;
  for (; i < work.points && work.ordered[i].cell == cell; ++i) {
    const std::int64_t row = work.ordered[i].point;
    const float value = cuda::to_float(work.values[row * work.channels + channel]);
    if constexpr (kKind == Kind::kMax) {
      if (i == begin || value > total || isnan(value)) total = isnan(total) ? total : value;
    } else {
      total += value;
    }
  }
  if constexpr (kKind == Kind::kMean) total /= static_cast<float>(i - begin);
  return total;
}

/// A block for 32 cells and 32 channels, turned on the way out: the canvas has channels first.
template <Kind kKind, typename T>
__global__ void __launch_bounds__(kTile* kWarps) scatter(Scattering<T> work) {
  PLAIT_SHARED(TileRow, tile, kTile);
  const std::int64_t across = work.cell_tiles();
  for (std::int64_t i = blockIdx.x; i < across * work.channel_tiles(); i += gridDim.x) {
    const std::int64_t cell = i % across * kTile;
    const std::int64_t channel = i / across * kTile;
    for (int row = threadIdx.y; row < kTile && cell + row < work.plane; row += kWarps) {
      tile[row][threadIdx.x] = reduce_cell<kKind>(work, cell + row, channel + threadIdx.x);
    }
    __syncthreads();
    for (int row = threadIdx.y; row < kTile && channel + row < work.channels; row += kWarps) {
      if (cell + threadIdx.x >= work.plane) continue;
      cuda::set(work.canvas[(channel + row) * work.plane + cell + threadIdx.x],
                tile[threadIdx.x][row]);
    }
    __syncthreads();
  }
}

template <typename T>
auto kernel_of(Kind kind) {
  switch (kind) {
    case Kind::kMean:
      return &scatter<Kind::kMean, T>;
    case Kind::kSum:
      return &scatter<Kind::kSum, T>;
    default:
      return &scatter<Kind::kMax, T>;
  }
}

template <typename T>
void run(const PillarScatter& op, const Arguments& arguments, CudaStream stream) {
  const std::int64_t points = arguments.shape(0)[0];
  auto* items = reinterpret_cast<CellItem*>(arguments.scratch.data());
  auto* begins = reinterpret_cast<std::int32_t*>(items + 2 * points);
  const std::int64_t plane = op.rows * op.columns;
  auto* counts = reinterpret_cast<unsigned*>(begins + plane);
  Scattering<T> work{arguments.input<T>(0).data(),
                     arguments.output<T>(0).data(),
                     begins,
                     nullptr,
                     points,
                     arguments.shape(0)[1],
                     plane};
  if (work.channels == 0) return;
  const auto over = [&](std::int64_t count) {
    return cuda::Launch{.where = kWhere,
                        .stream = stream,
                        .blocks = cuda::blocks_for(count, kThreads),
                        .threads = dim3(kThreads)};
  };
  cuda::launch(over(plane), &forget_begins<T>, work);
  if (points > 0) {
    work.ordered = cuda::order_by_cell(arguments.input<std::int32_t>(1).data(), points, plane,
                                       {items, items + points, counts}, kWhere, stream);
    cuda::launch(over(points), &find_begins<T>, work);
  }
  cuda::launch({.where = kWhere,
                .stream = stream,
                .blocks = cuda::blocks_for(work.cell_tiles() * work.channel_tiles(), 1),
                .threads = dim3(kTile, kWarps)},
               kernel_of<T>(op.kind), work);
}

}  // namespace

std::size_t PillarScatter::cuda_scratch_bytes(std::span<const ConstTensorView> inputs) const {
  const std::int64_t points = inputs[0].shape[0];
  return static_cast<std::size_t>(points) * 2 * sizeof(CellItem) +
         static_cast<std::size_t>(rows * columns) * sizeof(std::int32_t) +
         cuda::CellOrderMemory::counts_needed(points) * sizeof(unsigned);
}

void PillarScatter::run_cuda(const Arguments& arguments, CudaStream stream) const {
  if (arguments.inputs[0].dtype == DType::kFloat32) {
    run<float>(*this, arguments, stream);
  } else {
    run<__half>(*this, arguments, stream);
  }
}

}  // namespace plait::ops
